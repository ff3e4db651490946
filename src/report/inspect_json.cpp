// SPDX-License-Identifier: Apache-2.0
// Interest lists as JSON, schema epaudit-inspect/1: fields may be added within version 1, none renamed or removed.
#include <fmt/format.h>

#include <ostream>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/report/inspect.h"
#include "src/report/json_parts.h"
#include "src/report/markup.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

Json holders_json(const std::vector<Holder>& holders)
{
    Json json = Json::array();
    for (const Holder& holder : holders)
        json.push_back(Json{{"pid", holder.pid}, {"fd", holder.fd}});
    return json;
}

Json seconds_or_null(const std::optional<uint64_t>& ns) { return ns ? Json(rounded(seconds_of(*ns))) : Json(nullptr); }

Json socket_json(const OpenFile& file)
{
    const file_state& s = file.state;
    Json json{{"state", socket_state_name(file)},
              {"local", clean(file.local)},
              {"peer", clean(file.peer)},
              {"peer_closed", (s.flags & STATE_RCV_SHUTDOWN) != 0},
              {"eof_unread", (s.flags & STATE_EOF_UNREAD) != 0},
              {"output_shut", (s.flags & STATE_SEND_SHUTDOWN) != 0},
              {"error", s.aux & 0xffff ? errno_text(static_cast<int64_t>(s.aux & 0xffff)) : ""},
              {"error_queue", s.aux >> 16}};
    if (file.file_kind == FILE_TCP)
        json["unacknowledged_bytes"] = file.unsent;
    if (file.peer_pid)
        json["peer_pid"] = file.peer_pid;
    return json;
}

// What there is to consume, in the unit in which the kernel counts it.
void add_input(Json& json, const OpenFile& file)
{
    const file_state& s = file.state;
    switch (file.file_kind) {
    case FILE_TCP:
    case FILE_PIPE: json["unread_bytes"] = file.bytes; break;
    case FILE_UNIX:
        json["unread_bytes"] = file.bytes;
        json["unread_messages"] = s.unread;
        break;
    case FILE_UDP: json["unread_messages"] = s.unread; break;
    case FILE_EVENTFD: json["counter"] = s.io; break;
    case FILE_TIMERFD: json["ticks"] = s.io; break;
    case FILE_LISTENER: json["backlog"] = Json{{"length", s.backlog}, {"limit", file.limit}}; break;
    default: break;
    }
}

Json trigger_json(const Registration& r)
{
    Json json = Json::array({r.mask & EV_ET ? "edge" : "level"});
    if (r.mask & EV_ONESHOT)
        json.push_back("oneshot");
    if (r.mask & EV_EXCLUSIVE)
        json.push_back("exclusive");
    if (r.mask & EV_WAKEUP)
        json.push_back("wakeup");
    return json;
}

const char* change_name(Change change)
{
    return change == Change::kNew ? "new" : change == Change::kChanged ? "changed" : "none";
}

Json registration_json(const Registration& r, const InterestLook& look, const InspectStyle& style)
{
    Json json{{"fd", r.fd},
              {"kind", clean(r.open.kind)},
              {"mask", mask_text(r.mask)},
              {"mask_bits", r.mask},
              {"trigger", trigger_json(r)},
              {"armed", !r.disarmed()},
              {"data", fmt::format("{:#x}", r.data)},
              {"ready", r.ready},
              {"nonblocking", r.reached ? Json(r.open.nonblock) : Json(nullptr)},
              {"registered", r.age_ns ? "while watching" : "before attach"},
              {"age_at_most_s", seconds_or_null(r.age_ns)},
              {"fd_closed", r.closed},
              {"descriptors", holders_json(r.holders)}};
    add_input(json, r.open);
    if (r.open.type)
        json["socket"] = socket_json(r.open);
    if (r.open.file_kind == FILE_EPOLL) {
        const InterestList* inner = look.list(r.open.inner);
        json["nested"] = inner ? holders_json(inner->holders) : Json::array();
    }
    for (const auto& [name, value] : r.open.details)
        json["details"][name] = clean(value);
    if (style.watching)
        json["change"] = change_name(r.change);
    return json;
}

Json waiter_json(const Waiter& waiter)
{
    return Json{{"pid", waiter.pid},
                {"tid", waiter.tid},
                {"comm", clean(waiter.comm)},
                {"asleep_at_most_s", seconds_or_null(waiter.ran_ago_ns)},
                {"timeout_ms", waiter.timeout_ms ? Json(*waiter.timeout_ms) : Json(nullptr)}};
}

Json list_json(const InterestList& list, const InterestLook& look, const InspectStyle& style)
{
    Json json{
        {"descriptors", holders_json(list.holders)}, {"waiters", Json::array()}, {"registrations", Json::array()}};
    for (const Waiter& waiter : list.waiters)
        json["waiters"].push_back(waiter_json(waiter));
    for (const Registration& r : list.registrations)
        json["registrations"].push_back(registration_json(r, look, style));
    if (!style.watching)
        return json;
    json["gone"] = Json::array();
    for (const Registration& r : list.gone)
        json["gone"].push_back(registration_json(r, look, style));
    return json;
}

}  // namespace

void write_inspect_json(const InterestLook& look, const InspectStyle& style, std::ostream& out)
{
    Json json{{"schema", "epaudit-inspect/1"},
              {"version", EPAUDIT_VERSION},
              {"time", iso_time(look.started)},
              {"complete", look.complete},
              {"processes", Json::array()},
              {"epolls", Json::array()},
              {"notes", look.notes}};
    for (const auto& [pid, process] : look.processes) {
        Json one{{"pid", pid}, {"comm", clean(process.comm)}, {"exe", clean(process.exe)}};
        one.update(workload_json(process.workload));
        json["processes"].push_back(std::move(one));
    }
    for (const InterestList& list : look.lists)
        json["epolls"].push_back(list_json(list, look, style));
    out << json.dump(style.watching ? -1 : 2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace epaudit
