// SPDX-License-Identifier: Apache-2.0
// epaudit list: who would be watched. Reads /proc, and needs neither BPF nor root for one's own processes.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <array>
#include <iostream>
#include <nlohmann/json.hpp>

#include "src/cli/options.h"
#include "src/cli/who.h"
#include "src/report/json_parts.h"
#include "src/report/words.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

struct Listed {
    SeenProcess seen;
    EpollUse use;
    std::optional<unsigned> registrations;  // nothing: so many descriptors that asking would lock the epoll for long
};

std::vector<Listed> listed(ProcessScan& scan, const std::vector<SelectedProcess>& found)
{
    std::map<uint32_t, EpollUse> users;
    for (const SelectedProcess& one : found)
        if (one.use.epolls)
            users[one.process->pid] = one.use;
    std::vector<Listed> list;
    for (SeenProcess& seen : scan.everybody()) {
        auto user = users.find(seen.pid);
        if (user == users.end())
            continue;
        unsigned registrations = 0;
        const bool counted = count_registrations("/proc", seen.pid, user->second, registrations);
        list.push_back({std::move(seen), user->second, counted ? std::optional(registrations) : std::nullopt});
    }
    return list;
}

using Cells = std::array<std::string, 7>;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : clean(text); }

void write_text(const std::vector<Listed>& list, std::ostream& out)
{
    std::vector<Cells> rows{{"pid", "comm", "epolls", "registrations", "unit", "container", "pod"}};
    for (const Listed& one : list)
        rows.push_back({std::to_string(one.seen.pid), clean(one.seen.comm), std::to_string(one.use.epolls),
                        one.registrations ? std::to_string(*one.registrations) : "?", or_dash(one.seen.workload.unit),
                        or_dash(container_text(one.seen.workload.container)), or_dash(one.seen.workload.pod)});
    std::array<size_t, std::tuple_size_v<Cells>> widths{};
    for (const Cells& row : rows)
        for (size_t i = 0; i < row.size(); i++)
            widths[i] = std::max(widths[i], columns(row[i]));
    for (const Cells& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); i++)
            line += padded(row[i], widths[i]) + "  ";
        line.erase(line.find_last_not_of(' ') + 1);
        out << line << '\n';
    }
}

void write_json(const std::vector<Listed>& list, size_t idle, std::ostream& out)
{
    Json processes = Json::array();
    for (const Listed& one : list) {
        const Workload& workload = one.seen.workload;
        Json json{{"pid", one.seen.pid},
                  {"comm", clean(one.seen.comm)},
                  {"exe", clean(one.seen.exe)},
                  {"epolls", one.use.epolls},
                  {"registrations", one.registrations ? Json(*one.registrations) : Json(nullptr)},
                  {"unit", workload.unit.empty() ? Json(nullptr) : Json(clean(workload.unit))},
                  {"container", nullptr},
                  {"pod", workload.pod.empty() ? Json(nullptr) : Json(clean(workload.pod))}};
        if (workload.in_container())
            json["container"] = container_json(workload.container);
        processes.push_back(std::move(json));
    }
    out << Json{{"schema", "epaudit-list/1"}, {"processes", std::move(processes)}, {"without_epoll", idle}}.dump(
               2, ' ', false, Json::error_handler_t::replace)
        << '\n';
}

}  // namespace

Result<int> list_command(const ListOptions& options)
{
    WhoOptions asked = options.who;
    if (asked.empty())
        asked.all = true;
    auto who = who_is_meant(asked);
    if (!who)
        return who.error();
    for (const std::string& note : who->notes)
        say("epaudit: {}\n", note);
    ProcessScan scan(std::move(who->selection));
    auto found = find_them(scan, asked);
    if (!found)
        return found.error();
    size_t idle = 0, unreadable = 0;
    for (const SelectedProcess& one : *found) {
        idle += one.use.readable && !one.use.epolls;
        unreadable += !one.use.readable;
    }
    const std::vector<Listed> list = listed(scan, *found);
    if (options.format == "json")
        write_json(list, idle, std::cout);
    else if (!list.empty())
        write_text(list, std::cout);
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
