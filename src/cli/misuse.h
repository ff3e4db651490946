// SPDX-License-Identifier: Apache-2.0
// What is wrong with a command line that CLI11 refused, in our words, and what was probably meant.
#pragma once

#include <string>
#include <vector>

#include "src/support/result.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace epaudit {

// No command has this name; NULL: none was given.
Error no_command(const CLI::App& app, const char* first);
// Of all commands.
std::vector<std::string> command_names(const CLI::App& app);

// `first`: the word after the program's name; NULL: there is none.
Error misuse(const CLI::ParseError& error, const CLI::App& app, const char* first);

}  // namespace epaudit
