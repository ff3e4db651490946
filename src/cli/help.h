// SPDX-License-Identifier: Apache-2.0
// What --help prints, made of the same table as completions and man pages.
#pragma once

#include <cstddef>
#include <string>

namespace CLI {
class App;
}

namespace epaudit {

// Of the program, or of one of its commands.
std::string help_text(const CLI::App& app, size_t width);

}  // namespace epaudit
