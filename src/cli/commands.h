// SPDX-License-Identifier: Apache-2.0
// The commands: what each may be told, and what runs then.
#pragma once

#include <functional>
#include <vector>

#include "src/support/result.h"

namespace CLI {
class App;
}

namespace epaudit {

struct Command {
    CLI::App* app;                     // parsed: this is the one that was asked for
    std::function<Result<int>()> run;  // to the exit code
};

// In the order in which --help lists them. `program` outlives them.
std::vector<Command> add_commands(CLI::App& program);

}  // namespace epaudit
