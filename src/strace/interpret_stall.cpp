// SPDX-License-Identifier: Apache-2.0
// What a log can prove of a loop that did not come back to its epoll (EP404). It shows neither when input came nor
// CPU time, so: the one thread that ever waits on this epoll was asleep in another call for long, and its next wait
// returned at once, with input that was not left from before and that nothing it did after the sleep can have brought.
//
// A call's length is believed only where the log shows its end. Whether a thread that made no call was computing,
// preempted or held up by strace cannot be told.
#include <algorithm>
#include <utility>

#include "bpf/ledger_limits.h"
#include "src/books/call_names.h"
#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// So long after a call that cannot sleep took long: the machine is starved, or the program was stopped.
constexpr uint64_t kDoubt = 10 * NSEC_PER_SEC;
constexpr size_t kMostNaps = 64;
// What is told within a tenth of a sleep after it is of that sleep.
constexpr uint64_t kSoon = 10;

// Calls `each` with the descriptors of "[3 5]" (select) or "[{fd=3, ...}, ...]" (poll). False: it cannot be read.
template <typename Each>
bool for_polled(std::string_view text, Each each)
{
    if (text.empty() || text == "NULL")
        return true;
    if (text.front() != '[')
        return false;
    bool readable = true;
    auto one = [&](std::string_view printed) {
        PrintedFd fd;
        readable = printed == "-1" || (parse_fd(printed, fd) && each(fd.number));
        return readable;
    };
    if (text.substr(0, 2) == "[{") {
        for_elements(text, [&](std::string_view element) { return one(field(element, "fd")); });
        return readable;
    }
    for (size_t at = 1; readable && at < text.size() && text[at] != ']';) {
        size_t end = std::min(text.find_first_of(" ]", at), text.size());
        one(text.substr(at, end - at));
        at = end + (end < text.size() && text[end] == ' ');
    }
    return readable;
}

// A poll that timed out did not have the epoll among what it polled, or nothing was ready then.
bool polled_nothing(std::string_view name, std::string_view text)
{
    PrintedResult result;
    return (name == "poll" || name == "ppoll" || name == "select" || name == "pselect6") &&
           Arguments(text).result(result) && result.known && result.value == 0;
}

}  // namespace

// Whoever polls the descriptor of an epoll (glib, Qt, Electron) does poll it.
bool Interpreter::polls_no_epoll(const LogProcess& process, std::string_view name, std::string_view text) const
{
    Arguments arguments(text);
    auto known = [&](int fd) {
        const LogFile* file = world_.known_file(process, fd);
        return file && file->kind != FILE_EPOLL && file->kind != FILE_UNKNOWN;
    };
    if (name == "poll" || name == "ppoll")
        return for_polled(arguments.raw(), known);
    arguments.skip(1);
    for (int set = 0; set < 3; set++)
        if (!for_polled(arguments.raw(), known))
            return false;
    return true;
}

// Of a file from before the log the mode is not known, and nobody is accused on a guess.
Interpreter::Sleep Interpreter::may_sleep_on(const LogProcess& process, std::string_view printed,
                                             std::string_view text) const
{
    PrintedFd fd;
    const LogFile* file = parse_fd(printed, fd) ? world_.known_file(process, fd.number) : nullptr;
    if (!file || !file->nonblock_known)
        return Sleep::kUnknown;
    if (!file->nonblock && !has_flag(text, "MSG_DONTWAIT"))
        return Sleep::kMay;
    return file->kind >= FILE_TCP && file->kind <= FILE_EVENTFD ? Sleep::kCannot : Sleep::kUnknown;
}

Interpreter::Sleep Interpreter::may_sleep(const LogProcess& process, uint8_t call, std::string_view name,
                                          std::string_view text) const
{
    auto on_file = [&](std::string_view printed) { return may_sleep_on(process, printed, text); };
    Arguments arguments(text);
    if ((call >= CALL_READ && call <= CALL_SENDMMSG) || call == CALL_ACCEPT || call == CALL_CONNECT)
        return name.front() == 'p' ? Sleep::kMay : on_file(arguments.raw());  // preadv2(), of a file mostly
    switch (call) {
    case CALL_EPOLL_CTL: return Sleep::kCannot;
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: {
        Sleep first = on_file(arguments.raw());
        if (call == CALL_SPLICE)
            arguments.skip(1);
        return first == Sleep::kMay || on_file(arguments.raw()) == Sleep::kMay ? Sleep::kMay : Sleep::kUnknown;
    }
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2:
    case LOG_URING:  // may wait for an epoll
    case LOG_EXEC: return Sleep::kUnknown;
    case LOG_EVERYDAY: return system_call_number(name) < 0 ? Sleep::kCannot : Sleep::kMay;
    default: break;
    }
    if (name == "poll" || name == "ppoll" || name == "select" || name == "pselect6")
        return polls_no_epoll(process, name, text) ? Sleep::kMay : Sleep::kUnknown;
    return name == "io_getevents" ? Sleep::kUnknown : Sleep::kMay;
}

void Interpreter::took(LogThread& thread, uint8_t call, std::string_view name, std::string_view text, uint64_t ns,
                       uint64_t time)
{
    if (call != CALL_EPOLL_WAIT && call != CALL_EPOLL_PWAIT2)
        runs_.stalls().spent(thread.tid, ns);
    if (ns < LEDGER_STALL_NS)
        return;
    const Sleep sleep = may_sleep(*thread.process, call, name, text);
    const int number = system_call_number(name);
    if (sleep == Sleep::kCannot)
        doubt_durations(time);
    else if (time >= doubt_until_ && !thread.process->uses_uring && call != CALL_FUTEX &&
             (sleep == Sleep::kMay || polled_nothing(name, text)))
        runs_.stalls().slept(thread.tid, number, ns);
    if (sleep != Sleep::kMay || number < 0 || !thread.turn_epoll || thread.naps.size() >= kMostNaps)
        return;
    // A duration and the time stamps around it are rounded each for itself.
    ns = std::min(ns, time > thread.turn_at ? time - thread.turn_at : 0);
    thread.naps.push_back({number, time - ns, ns});
}

void Interpreter::doubt_durations(uint64_t time) { doubt_until_ = std::max(doubt_until_, time + kDoubt); }

// A thread is about to wait. A second thread at the same epoll ends all claims: strace makes a pool of them slow, so
// that all are busy more often than they would be.
void Interpreter::tell_naps(LogThread& thread, LogFile& epoll, uint64_t time)
{
    thread.slept_from = std::exchange(thread.more_from, 0);
    int64_t& by = epoll.epoll->polled_by;
    by = by == LogEpoll::kNobody || by == thread.tid ? thread.tid : LogEpoll::kSeveral;
    if (thread.naps.empty())
        return;
    bool proof = by == thread.tid && thread.turn_epoll == epoll.id && !epoll.shared_unseen && sight_.all_threads() &&
                 sight_.fine_times && !thread.process->uses_uring && time >= doubt_until_;
    const std::vector<LogNap> naps = std::exchange(thread.naps, {});
    thread.slept_from = 0;
    if (!proof)
        return;
    for (const LogNap& nap : naps) {
        posting p = blank(thread, POSTING_BLOCKED, time);
        p.amount = nap.call;
        p.result = static_cast<int64_t>(nap.ns);
        post(p);
        thread.slept_from = nap.begun;
        thread.slept_to = time;
    }
}

// Its wait returned.
void Interpreter::turn_ends(const Call& c)
{
    turns_++;
    if (c.thread.timeout != 0 && c.thread.lasted(c.result.duration, c.time) >= kAtOnce)
        c.thread.slept_from = 0;
}

// Its events have been told. `whole`: all of them were printed.
void Interpreter::turn_begins(Call& c, uint64_t epoll, bool full, bool whole)
{
    LogThread& thread = c.thread;
    thread.turn = turns_;
    thread.turn_at = c.time;
    thread.turn_epoll = whole ? epoll : 0;
    thread.turn_full = full;
    // What did not fit into this return comes with the next, unless it became ready meanwhile.
    const bool soon = (c.time - thread.slept_to) * kSoon <= thread.slept_to - thread.slept_from;
    thread.more_from = full && whole && thread.slept_from && soon ? thread.slept_from : 0;
    thread.slept_from = 0;
    thread.naps.clear();
}

// Did this input come while the thread slept? Not when it was left over by the thread itself, nor when it may answer
// what was done to its file since.
bool Interpreter::kept(const LogThread& thread, const LogFile& file, uint32_t events) const
{
    if ((events & (EV_HUP | EV_ERR | EV_RDHUP)) || file.shared_unseen || !file.readers.empty() ||
        file.touched >= thread.slept_from || !sees_output(file.kind))
        return false;
    bool was_ready = file.told_turn == thread.turn || thread.turn_full;
    return !was_ready || file.drained;
}

}  // namespace epaudit
