// SPDX-License-Identifier: Apache-2.0
// The part of the command line that says whom a command is about.
#pragma once

#include "src/cli/options.h"
#include "src/support/result.h"

namespace CLI {
class App;
}

namespace epaudit {

// `words`: it takes names and numbers without an option. `users`: false where --user has a meaning already.
void add_who_options(CLI::App& app, WhoOptions& who, bool words, bool users = true);
Error nobody_named(const char* command);

}  // namespace epaudit
