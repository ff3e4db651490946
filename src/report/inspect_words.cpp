// SPDX-License-Identifier: Apache-2.0
// How a registration stands, in words.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/report/inspect.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

class Parts {
public:
    void add(const std::string& part)
    {
        if (!part.empty())
            text_ += (text_.empty() ? "" : ", ") + part;
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

std::string unread_text(const OpenFile& file)
{
    const char* unit = file.type == SOCK_DGRAM ? "datagram" : "message";
    switch (file.file_kind) {
    case FILE_TCP: return file.bytes ? bytes_text(file.bytes) + " unread" : "";
    case FILE_PIPE: return file.bytes ? bytes_text(file.bytes) + " unread" : "empty";
    case FILE_UDP: return file.state.unread ? plural(file.state.unread, "datagram") + " unread" : "";
    case FILE_UNIX:
        if (file.type == SOCK_STREAM || !file.state.unread)
            return file.bytes ? bytes_text(file.bytes) + " unread" : "";
        return fmt::format("{} unread ({})", plural(file.state.unread, unit), bytes_text(file.bytes));
    case FILE_EVENTFD: return fmt::format("counter {}", file.state.io);
    case FILE_TIMERFD: return file.state.io ? plural(file.state.io, "tick") + " unread" : "no tick unread";
    default: return "";
    }
}

std::string socket_text(const OpenFile& file)
{
    std::string text = socket_state_name(file);
    if (!file.local.empty())
        text += (text.empty() ? "" : " ") + file.local;
    if (!file.peer.empty())
        text += " -> " + file.peer;
    return text;
}

void add_socket(Parts& parts, const OpenFile& file)
{
    const file_state& s = file.state;
    parts.add(socket_text(file));
    if (file.peer_pid && file.file_kind == FILE_UNIX)
        parts.add(fmt::format("peer pid {}", file.peer_pid));
    if (file.file_kind == FILE_LISTENER)
        parts.add(fmt::format("backlog {} of {}", s.backlog, file.limit));
    parts.add(unread_text(file));
    if (s.flags & STATE_EOF_UNREAD)
        parts.add("end of stream unread");
    else if ((s.flags & STATE_RCV_SHUTDOWN) && file.file_kind != FILE_LISTENER && s.sk_state != SK_CLOSE)
        parts.add("peer closed");
    if ((s.flags & STATE_SEND_SHUTDOWN) && s.sk_state != SK_CLOSE)
        parts.add("output shut");
    if (file.unsent)
        parts.add(bytes_text(file.unsent) + " unacknowledged");
    if (file.file_kind == FILE_TCP && s.sk_state == SK_ESTABLISHED &&
        !(s.flags & (STATE_WRITABLE | STATE_SEND_SHUTDOWN)))
        parts.add("no room to send");
    if (s.aux & 0xffff)
        parts.add("error " + errno_text(static_cast<int64_t>(s.aux & 0xffff)));
    if (s.aux >> 16)
        parts.add(plural(s.aux >> 16, "message") + " in the error queue");
}

std::string nested_text(const OpenFile& file, const InterestLook& look)
{
    const InterestList* inner = look.list(file.inner);
    if (!inner)
        return "an epoll of another process";
    auto ready = std::count_if(inner->registrations.begin(), inner->registrations.end(),
                               [](const Registration& r) { return r.ready; });
    return fmt::format("epoll fd {}: {}, {} ready", inner->holders[0].fd,
                       plural(inner->registrations.size(), "registration"), ready);
}

// Who else leads to the file: what closing it, or epoll_ctl(DEL), depends on.
std::string holders_text(const Registration& r, const InterestLook& look)
{
    if (!r.reached)
        return "fd CLOSED, no descriptor leads to the file, which lives on";
    auto name = [&](const Holder& holder) { return fmt::format("pid {} fd {}", holder.pid, holder.fd); };
    std::string others;
    size_t count = 0;
    for (const Holder& holder : r.holders) {
        bool own = holder.fd == r.fd && look.processes.count(holder.pid);
        if (own && !r.closed)
            continue;
        if (count++ < 3)
            others += (others.empty() ? "" : ", ") + name(holder);
    }
    if (count > 3)
        others += fmt::format(" and {} more", count - 3);
    if (r.closed)
        return "fd CLOSED, the file lives on as " + others;
    return others.empty() ? "" : "also " + others;
}

}  // namespace

std::string socket_state_name(const OpenFile& file)
{
    if (!file.type)
        return "";
    if (file.state.sk_state == SK_CLOSE && file.file_kind != FILE_TCP)
        return "unconnected";
    return tcp_state_name(file.state.sk_state);
}

std::string how_text(const Registration& r)
{
    std::string text = r.mask & EV_ET ? "edge" : "level";
    if (r.mask & EV_ONESHOT)
        text += r.disarmed() ? ",oneshot (fired)" : ",oneshot";
    if (r.mask & EV_EXCLUSIVE)
        text += ",exclusive";
    if (r.mask & EV_WAKEUP)
        text += ",wakeup";
    return text;
}

std::string state_text(const Registration& r, const InterestLook& look)
{
    Parts parts;
    if (r.open.type)
        add_socket(parts, r.open);
    else if (r.open.file_kind == FILE_EPOLL)
        parts.add(nested_text(r.open, look));
    else
        parts.add(unread_text(r.open));
    for (const auto& [name, value] : r.open.details)
        parts.add(fmt::format("{} {}", name, value));
    if ((r.mask & EV_ET) && !r.open.nonblock && r.reached)
        parts.add("BLOCKING");
    parts.add(holders_text(r, look));
    if (r.age_ns)
        parts.add(fmt::format("registered at most {} ago", duration_text(*r.age_ns)));
    return clean(parts.text());
}

}  // namespace epaudit
