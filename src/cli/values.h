// SPDX-License-Identifier: Apache-2.0
// What a value of an option may be. A refusal is a sentence and, behind a newline, what would help: misuse.h prints both.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace epaudit {

// One of these words. The command table reads them from the description, "{auto,always,never}".
CLI::Validator one_of(std::vector<std::string> words);

CLI::Validator whole_number(uint64_t least, uint64_t most);

// "90", "90s", "500ms", "10m", "2h": turned into seconds. Within these limits, which are seconds.
CLI::Validator duration(double least, double most);

}  // namespace epaudit
