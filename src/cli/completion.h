// SPDX-License-Identifier: Apache-2.0
// Completion scripts for shells, made from the table of commands.
#pragma once

#include <string>

#include "src/cli/command_table.h"

namespace epaudit {

std::string bash_completion(const CommandTable& table);
std::string zsh_completion(const CommandTable& table);
std::string fish_completion(const CommandTable& table);

// What can stand for a rule, and for a threshold (with its `=`), in the order of the rules' ids.
std::vector<std::string> rule_words();
std::vector<std::string> threshold_words();

// The beginning of a description, up to where it goes into detail.
std::string brief(const std::string& description);
// In single quotes, as bash and zsh read it.
std::string shell_quoted(const std::string& text);

}  // namespace epaudit
