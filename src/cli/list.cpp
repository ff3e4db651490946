// SPDX-License-Identifier: Apache-2.0
// epaudit list: who would be watched. Reads /proc, and needs neither BPF nor root for one's own processes.
#include <iostream>
#include <map>
#include <utility>

#include "src/cli/options.h"
#include "src/cli/who.h"
#include "src/report/list.h"
#include "src/report/words.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

std::vector<ListedProcess> listed(ProcessScan& scan, const std::vector<SelectedProcess>& found)
{
    std::map<uint32_t, EpollUse> users;
    for (const SelectedProcess& one : found)
        if (one.use.epolls)
            users[one.process->pid] = one.use;
    std::vector<ListedProcess> list;
    for (SeenProcess& seen : scan.everybody()) {
        auto user = users.find(seen.pid);
        if (user == users.end())
            continue;
        unsigned registrations = 0;
        const bool counted = count_registrations("/proc", seen.pid, user->second, registrations);
        list.push_back({seen.pid, std::move(seen.comm), std::move(seen.exe), std::move(seen.workload),
                        user->second.epolls, counted ? std::optional(registrations) : std::nullopt});
    }
    return list;
}

}  // namespace

Result<int> list_command(const ListOptions& options)
{
    WhoOptions asked = options.who;
    if (asked.empty())
        asked.all = true;
    auto found = find_who(asked, say_notes);
    if (!found)
        return found.error();
    size_t idle = 0, unreadable = 0;
    for (const SelectedProcess& one : found->processes) {
        idle += one.use.readable && !one.use.epolls;
        unreadable += !one.use.readable;
    }
    const std::vector<ListedProcess> list = listed(*found->scan, found->processes);
    if (options.format == "json")
        write_list_json(list, idle, std::cout);
    else if (!list.empty())
        write_list_text(list, std::cout);
    if (list.empty() && options.format != "json")
        say("epaudit: no process that matches has an epoll\n");
    if (idle && !asked.all)
        say("epaudit: {} more {} and {} no epoll (yet)\n", idle, idle == 1 ? "matches" : "match",
            idle == 1 ? "has" : "have");
    if (unreadable)
        say("epaudit: of {} the descriptors may not be looked at; root sees them\n", plural(unreadable, "process"));
    return static_cast<int>(Exit::kClean);
}

}  // namespace epaudit
