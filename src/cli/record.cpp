// SPDX-License-Identifier: Apache-2.0
// epaudit record -o FILE: an audit as any other, of which a recording is kept.
#include "src/cli/options.h"

namespace epaudit {

Result<int> record_command(const RecordOptions& options)
{
    const bool whose = !options.whom.user.empty();  // --user: as whom CMD runs, or whose processes
    if (!options.command.empty() == (!options.who.empty() || (options.command.empty() && whose)))
        return usage_error("record needs a command or a process, and not both",
                           "epaudit record -o FILE -- CMD, or epaudit record -o FILE -p PID");
    if (options.command.empty() && options.wait_all)
        return usage_error("--wait-all goes with a command: a process that is attached to is watched until it ends",
                           "for its descendants: --follow-forks");
    if (!options.command.empty() && options.follow_forks)
        return usage_error("--follow-forks goes with -p: what a command starts is watched anyway",
                           "to go on until all of them have ended: --wait-all");
    if (options.command.empty()) {
        WhoOptions who = options.who;
        if (whose)
            who.users.push_back(options.whom.user);
        return attach_command({options.audit, std::move(who), options.follow_forks});
    }
    return run_command({options.audit, options.command, options.wait_all, options.whom});
}

}  // namespace epaudit
