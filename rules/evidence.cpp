// SPDX-License-Identifier: Apache-2.0
#include "rules/evidence.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/books/describe.h"

namespace epaudit {
namespace {

uint16_t pending_error(const Entry& entry) { return static_cast<uint16_t>(entry.state.aux); }  // sk_err

std::string unread_text(const Entry& entry)
{
    uint32_t unread = entry.state.unread;
    switch (entry.file.kind) {
    case FILE_TCP: return bytes_text(unread) + " unread";
    case FILE_UDP: return fmt::format("{} datagram{} unread", unread, unread == 1 ? "" : "s");
    case FILE_UNIX: return fmt::format("{} message{} unread", unread, unread == 1 ? "" : "s");
    case FILE_PIPE: return fmt::format("{} buffer{} unread", unread, unread == 1 ? "" : "s");
    case FILE_EVENTFD: return fmt::format("count {} unread", entry.state.io);
    case FILE_TIMERFD: return fmt::format("{} expirations unread", entry.state.io);
    default: return "input unread";
    }
}

void add(std::string& text, const std::string& part)
{
    text += text.empty() ? "" : ", ";
    text += part;
}

}  // namespace

Finding withdrawal(const RuleInfo& info, uint64_t epoll, uint64_t file)
{
    Finding finding;
    finding.rule = info.id;
    finding.name = info.name;
    finding.subject_epoll = epoll;
    finding.subject_file = file;
    finding.withdrawn = true;
    return finding;
}

void add_fact(Finding& finding, std::string name, std::string text)
{
    finding.facts.emplace_back(std::move(name), std::move(text));
}

void tell_mask(Finding& finding, uint32_t mask)
{
    finding.trigger = trigger_text(mask);
    for (auto& [name, text] : finding.facts) {
        if (name == "mask")
            text = mask_text(mask);
    }
}

std::string kernel_mask_text(uint32_t mask) { return mask_text(mask & ~(EV_ERR | EV_HUP)); }

bool is_stream_socket(const Entry& entry)
{
    return entry.file.kind == FILE_TCP || (entry.file.kind == FILE_UNIX && (entry.state.flags & STATE_STREAM));
}

bool none_tells(std::span<const Entry> file, uint32_t tells)
{
    return std::all_of(file.begin(), file.end(), [&](const Entry& e) {
        return e.key.epoll && e.chain <= file.size() && !(e.live_mask & tells) &&
               !(e.registration.flags & REGISTRATION_FIRED);
    });
}

bool is_ghost(const Entry& entry)
{
    const file_row& f = entry.file;
    return f.ghost_at && entry.key.epoll && entry.key.epoll == entry.fault.ghost_epoll &&
           entry.key.fd == entry.fault.ghost_fd;
}

bool may_be_anothers(const Snapshot& books, const Entry& entry)
{
    if (!(entry.registration.flags & REGISTRATION_UNREACHED))
        return false;
    const Loop& loop = books.loops().of(entry.key.epoll);
    return loop.threads && (loop.of_processes || loop.process != entry.file.tgid);
}

bool input_waits(const Entry& entry)
{
    return entry.state.unread || entry.state.backlog || (entry.state.flags & STATE_EOF_UNREAD) || pending_error(entry);
}

std::string waiting_text(const Entry& entry)
{
    std::string text;
    if (entry.state.unread)
        add(text, unread_text(entry));
    if (entry.state.backlog)
        add(text,
            fmt::format("{} connection{} not accepted", entry.state.backlog, entry.state.backlog == 1 ? "" : "s"));
    if (entry.state.flags & STATE_EOF_UNREAD)
        add(text, "end of stream unread");
    if (pending_error(entry))
        add(text, "pending " + errno_text(pending_error(entry)));
    return text;
}

Finding begin_epoll_finding(const RuleInfo& info, const Snapshot& books, uint64_t epoll, uint32_t tgid)
{
    Finding finding;
    finding.rule = info.id;
    finding.name = info.name;
    finding.pid = tgid;
    finding.subject_epoll = epoll;
    if (const epoll_row* row = books.epoll(epoll))
        finding.epoll_fd = row->fd;
    return finding;
}

TimelineEntry moment(const Snapshot& books, uint64_t at, uint32_t tid, std::string what)
{
    double t = (static_cast<double>(at) - static_cast<double>(books.began)) / NSEC_PER_SEC;
    return {t, std::move(what), tid};
}

Finding begin_finding(const RuleInfo& info, const Snapshot& books, const Entry& entry)
{
    Finding finding;
    finding.rule = info.id;
    finding.name = info.name;
    finding.pid = entry.file.tgid;
    finding.subject_epoll = entry.key.epoll;
    finding.subject_file = entry.file_id;
    finding.subject_ino = entry.file.ino;
    if (const epoll_row* epoll = books.epoll(entry.key.epoll))
        finding.epoll_fd = epoll->fd;
    finding.fd.number = entry.key.fd;
    finding.fd.kind = kind_name(entry.file.kind);
    finding.fd.local = local_address(entry.name);
    finding.fd.peer = peer_address(entry.name);
    finding.timeline = timeline(entry.file, books.began);
    if (entry.key.epoll) {
        finding.trigger = trigger_text(entry.registration.mask);
        add_fact(finding, "mask", mask_text(entry.registration.mask));
    }
    if (!entry.buried && entry.file.kind == FILE_TCP && *tcp_state_name(entry.state.sk_state))
        add_fact(finding, "socket state", tcp_state_name(entry.state.sk_state));
    if (!entry.buried && input_waits(entry))
        add_fact(finding, "waiting", waiting_text(entry));
    return finding;
}

}  // namespace epaudit
