// SPDX-License-Identifier: Apache-2.0
// epoll_wait, and what may be concluded from a delivery that the log shows.
#include <algorithm>

#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// As long as a posting can say: -1 is for ever.
int32_t posted_timeout(int64_t ms) { return static_cast<int32_t>(std::clamp<int64_t>(ms, -1, INT32_MAX)); }

}  // namespace

void Interpreter::wait_enters(LogThread& thread, uint8_t call, std::string_view text, uint64_t time)
{
    Arguments arguments(text);
    PrintedFd fd;
    if (!arguments.fd(fd))
        return;
    LogFile* epoll = epoll_file(thread, fd);
    if (!epoll)
        return;
    arguments.skip(2);
    std::string_view printed = arguments.raw();
    int64_t timeout = 0;
    if (call == CALL_EPOLL_PWAIT2)
        timeout = parse_timeout(printed);
    else if (!parse_number(printed, timeout))
        timeout = -2;
    if (timeout == -2)  // an interrupted line does not have it yet: most loops wait equally long each time
        timeout = thread.timeout;
    thread.timeout = timeout;
    thread.waits_on = epoll->id;
    thread.waits_fd = fd.number;
    thread.told.clear();
    thread.told_by = epoll->id;
    tell_naps(thread, *epoll, time);
    epoll->epoll->waits++;
    counts_.waits++;
    posting p = blank(thread, POSTING_WAIT, time);
    p.epoll = epoll->id;
    p.epfd = fd.number;
    p.amount = posted_timeout(timeout);
    post(p);
}

bool Interpreter::wait_returns(Call& c)
{
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    LogFile* epoll = epoll_file(c.thread, fd);
    if (!epoll)
        return true;
    uint64_t id = c.thread.waits_on ? c.thread.waits_on : epoll->id;
    std::string_view list = c.arguments.raw();
    int64_t most = 0, timeout = 0;
    if (!c.arguments.number(most))
        return false;
    std::string_view printed = c.arguments.raw();
    bool known = c.what == CALL_EPOLL_PWAIT2 ? (timeout = parse_timeout(printed)) != -2
                                             : parse_number(printed, timeout);
    if (known && timeout != c.thread.timeout) {
        c.thread.timeout = timeout;
        audit_.tables().set_timeout(c.thread.tid, posted_timeout(timeout));
    }
    turn_ends(c);
    const uint64_t cut = counts_.cut_lists;
    told_.clear();
    if (c.result.known && c.result.value > 0)
        deliver_all(c, list, id);
    posting p = blank(c.thread, POSTING_RETURN, c.time);
    p.epoll = id;
    p.epfd = fd.number;
    p.result = c.result.known ? c.result.value : -ERRNO_EINTR;
    if (p.result <= -ERRNO_RESTART_FIRST && p.result >= -ERRNO_RESTART_LAST)
        p.result = -ERRNO_EINTR;
    p.amount = most;
    post(p);
    LogPlace at = place(c.thread, id, fd.number);
    at.sole = epoll->epoll && epoll->epoll->polled_by == c.thread.tid;
    const bool whole = p.result < most && counts_.cut_lists == cut;
    runs_.returned(at, told_, {p.result, known ? timeout : -1, c.result.duration, whole, c.time});
    tell_apart(*c.thread.process);
    turn_begins(c, id, p.result >= most, counts_.cut_lists == cut);
    c.thread.waits_on = 0;
    return true;
}

void Interpreter::deliver_all(Call& c, std::string_view list, uint64_t id)
{
    LogFile* epoll = world_.file_by_id(id);
    if (!epoll || !epoll->epoll)
        return;
    int64_t count = 0;
    bool whole = true;
    for_elements(list, [&](std::string_view element) {
        PrintedEvent event;
        whole = parse_event(element, event);
        if (!whole)
            return false;
        count++;
        told_.push_back(event);
        if (!event.data_known)
            event.data = kUnprintedData;
        deliver(c, *epoll, event, c.result.value == 1);
        return count < c.result.value;
    });
    if (count >= c.result.value)
        return;
    counts_.cut_lists++;  // strace prints 32 elements (-s), then "..."
    PrintedEvent rest;
    rest.data = kUnprintedData;
    deliver(c, *epoll, rest, false);
}

// How often an epoll in an epoll was waited on, and what was done about its files, which may be read without asking it.
// 0: not known.
uint64_t Interpreter::inner_token(const LogEpoll& inner)
{
    constexpr size_t kMost = 64;
    if (inner.members.empty() || inner.members.size() > kMost)
        return 0;
    uint64_t token = inner.waits + 1;
    for (const auto& [fd, id] : inner.members)
        if (const LogFile* file = world_.file_by_id(id))
            token += file->progress;
    return token;
}

void Interpreter::deliver(Call& c, LogFile& epoll, const PrintedEvent& event, bool sole)
{
    posting p = blank(c.thread, POSTING_DELIVERED, c.time);
    p.epoll = epoll.id;
    p.epfd = c.thread.waits_fd;
    p.mask = event.events;
    p.data = event.data;
    p.flags = sole ? POSTING_SOLE : 0;
    if (event.events & (EV_RDHUP | EV_HUP))
        gone_turn_ = turns_;
    if (LogProcess& process = *c.thread.process; !process.told_news || event.data != process.told_data) {
        process.told_data = event.data;
        process.told_news++;
    }
    if (event.data < kSmallData && c.thread.told.size() < 64)
        c.thread.told.push_back(static_cast<int>(event.data));
    uint64_t id = audit_.tables().find_file(epoll.id, event.data);
    if (!id && event.data != kUnprintedData) {
        learn_registration(c, epoll, event);
        id = audit_.tables().find_file(epoll.id, event.data);
    }
    LogFile* file = id ? world_.file_by_id(id) : nullptr;
    if (!file) {
        counts_.unattributed++;
        if (!all_in_sight(c, epoll, event))
            p.flags |= POSTING_BLIND;
    } else {
        p.file_kind = file->kind;
        if (file->epoll) {  // an epoll in an epoll: as the kernel's probes tell it
            p.state.io = inner_token(*file->epoll);
            p.flags |= POSTING_STATE;
        }
        bool proven = proves_level(*file, event.events);
        if (!proven || blind(*c.thread.process, *file, event.events)) {
            p.flags |= POSTING_BLIND;
            counts_.blind++;
        } else if (c.thread.slept_from && kept(c.thread, *file, event.events)) {
            p.flags |= POSTING_KEPT;
        }
        file->told_turn = turns_;
        file->drained = file->drained && !(event.events & ~EV_OUT);
    }
    post(p);
}

// An event of data that several registrations share: whichever it is about, is what answers it in the log?
bool Interpreter::all_in_sight(Call& c, const LogFile& epoll, const PrintedEvent& event)
{
    for (const registration_key& key : audit_.tables().candidates(epoll.id, event.data, event.events)) {
        LogFile* file = world_.file_by_id(key.file);
        if (!file || !proves_level(*file, event.events) || blind(*c.thread.process, *file, event.events))
            return false;
    }
    return true;
}

// A registration from before the log began: data that has proved to be the fd number names its file.
void Interpreter::learn_registration(Call& c, LogFile& epoll, const PrintedEvent& event)
{
    if (event.data >= kSmallData || !epoll.epoll->data_names_fd())
        return;
    int fd = static_cast<int>(event.data);
    if (epoll.epoll->members.count(fd))
        return;
    LogFile* file = world_.file(*c.thread.process, fd);
    if (!file || file->seen_born)
        return;
    file->guessed_mask = true;
    posting p = blank(c.thread, POSTING_SEEDED, c.time);
    p.epoll = epoll.id;
    p.epfd = -1;
    p.file = p.ino = file->id;
    p.file_kind = file->kind;
    p.fd = fd;
    p.mask = event.events & ~(EV_ERR | EV_HUP);
    p.data = event.data;
    p.flags = POSTING_NONBLOCK;
    post(p);
    epoll.epoll->members[fd] = file->id;
}

}  // namespace epaudit
