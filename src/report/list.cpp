// SPDX-License-Identifier: Apache-2.0
#include "src/report/list.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "src/report/json_parts.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

using Cells = std::array<std::string, 7>;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : clean(text); }

}  // namespace

void write_list_text(const std::vector<ListedProcess>& list, std::ostream& out)
{
    std::vector<Cells> rows{{"pid", "comm", "epolls", "registrations", "unit", "container", "pod"}};
    for (const ListedProcess& one : list)
        rows.push_back({std::to_string(one.pid), clean(one.comm), std::to_string(one.epolls),
                        one.registrations ? std::to_string(*one.registrations) : "?", or_dash(one.workload.unit),
                        or_dash(container_text(one.workload.container)), or_dash(one.workload.pod)});
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

void write_list_json(const std::vector<ListedProcess>& list, size_t idle, std::ostream& out)
{
    Json processes = Json::array();
    for (const ListedProcess& one : list) {
        const Workload& workload = one.workload;
        Json json{{"pid", one.pid},
                  {"comm", clean(one.comm)},
                  {"exe", clean(one.exe)},
                  {"epolls", one.epolls},
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

}  // namespace epaudit
