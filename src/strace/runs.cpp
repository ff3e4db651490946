// SPDX-License-Identifier: Apache-2.0
#include "src/strace/runs.h"

#include <algorithm>

#include "bpf/ledger_limits.h"
#include "src/books/call_names.h"
#include "src/strace/calls.h"
#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

constexpr size_t kMostKeys = 64;  // of one epoll, reported and not answered
constexpr size_t kMostBest = 4096;
constexpr uint64_t kFewest = 2;  // shorter ones are nothing
constexpr uint64_t kAtOnce = NSEC_PER_MSEC;
constexpr uint32_t kInput = EV_IN | EV_RDNORM | EV_PRI;
// Why a run whose fd no call used proves nothing, unless all threads are in the log.
constexpr const char* kHandedOver =
    "another thread may have been handed it, and the log does not follow threads (strace -f)";

// What a call did to a file.
enum Touch : uint32_t {
    kLooked = 1,   // used, nothing moved
    kTook = 2,     // input was taken
    kGave = 4,     // output was taken
    kChanged = 8,  // anything else that may answer every event: closed, shut down, set anew
};

// Data with a small number in the lower half and something above: a generation, or memory nobody cleared. Pointers
// have large lower halves, or are even and above 2^32.
int candidate_of(uint64_t data)
{
    if (data < kSmallData)
        return static_cast<int>(data);
    const uint64_t low = data & 0xffffffff;
    return low < 65536 && (data >> 32) != 0 ? static_cast<int>(low) : -1;
}

bool answers(uint32_t touch, uint32_t events)
{
    if (touch & kChanged)
        return true;
    if (!(events & ~(EV_HUP | EV_ERR)))
        return false;
    return touch & (kTook | kGave);
}

// The same for a call on another fd than the one that is meant, if it is not certain which one is.
bool may_answer(uint32_t touch, uint32_t events)
{
    return ((touch & kTook) && (events & kInput)) || ((touch & kGave) && (events & EV_OUT)) || (touch & kChanged);
}

}  // namespace

Runs::Key* Runs::find(Epoll& epoll, uint64_t data)
{
    for (Key& key : epoll.keys)
        if (key.data == data)
            return &key;
    return nullptr;
}

void Runs::start(Epoll& epoll, Key& key, const PrintedEvent& event, uint64_t time)
{
    key = {};
    key.data = event.data;
    key.candidate = candidate_of(event.data);
    if (auto at = epoll.by_data.find(event.data); at != epoll.by_data.end()) {
        if (auto member = epoll.members.find(at->second);
            member != epoll.members.end() && member->second.data == event.data) {
            key.candidate = at->second;
            key.registered = true;
            key.mask = member->second.mask;
        }
    }
    key.common = event.events;
    key.count = 1;
    key.from = key.last = time;
}

void Runs::keep(LogRun run)
{
    auto where = std::make_tuple(run.epoll, run.file, static_cast<uint8_t>(run.cause));
    auto at = best_.find(where);
    if (at == best_.end()) {
        if (best_.size() < kMostBest)
            best_.emplace(where, run);
    } else if (run.returns > at->second.returns || (at->second.doubt && !run.doubt)) {
        at->second = run;
    }
}

// `over`: it ended because something was done.
void Runs::end(Epoll& epoll, Key& key, bool over)
{
    if (key.count < kFewest)
        return;
    LogRun run = describe(epoll, key);
    run.ended = over;
    if (run.cause != LogRun::Cause::kNone)
        keep(run);
}

LogRun Runs::describe(const Epoll& epoll, const Key& key) const
{
    LogRun run;
    run.epoll = epoll.place.epoll;
    run.epfd = epoll.place.epfd;
    run.pid = epoll.place.pid;
    run.data = key.data;
    run.events = key.common;
    run.returns = key.count;
    run.ns = key.last - key.from;
    run.fd = key.candidate;
    run.between = key.between;
    run.error = key.error;
    bool used = key.contacts > 0;
    bool only = !key.registered && !used && key.other >= 0 && key.turns_alone && key.others * 10 >= (key.count - 1) * 9;
    if (key.registered) {
        run.ground = LogRun::Ground::kRegistered;
    } else if (used) {
        run.ground = LogRun::Ground::kUsed;
    } else if (only) {
        run.ground = LogRun::Ground::kOnlyOne;
        run.fd = key.other;
        run.between = key.other_between;
        run.error = key.other_error;
        used = true;
    } else if (key.candidate > 0) {
        run.ground = LogRun::Ground::kData;
    } else {
        run.ground = LogRun::Ground::kNone;
        run.fd = -1;
    }
    run.file = run.fd >= 0 ? static_cast<uint64_t>(run.fd) : run.data | 1ULL << 63;

    using Cause = LogRun::Cause;
    const uint32_t e = key.common;
    const bool edge = key.registered && (key.mask & EV_ET);
    const bool agained = run.between & BETWEEN_READ_EAGAIN;
    if (run.between & BETWEEN_DEL_FAILED)
        run.cause = Cause::kGhost;
    else if (run.between & BETWEEN_ACCEPT_ERROR)
        run.cause = run.error == ERRNO_EAGAIN ? Cause::kNone : Cause::kAccept;
    else if (e & EV_ERR)
        run.cause = Cause::kHupErr;
    else if (run.between & BETWEEN_READ_EOF)
        run.cause = Cause::kEof;
    else if (e & EV_HUP)
        run.cause = Cause::kHupErr;
    else if (e & EV_RDHUP)
        run.cause = Cause::kEof;
    else if ((e & EV_OUT) && (agained || !(e & kInput) || (run.between & (BETWEEN_MOD | BETWEEN_MOD_SAME))))
        run.cause = Cause::kOut;
    else if (e & kInput)
        run.cause = agained ? Cause::kNone : Cause::kUnread;  // somebody else took it
    if (edge && run.cause != Cause::kGhost && run.cause != Cause::kAccept &&
        !(key.between & (BETWEEN_MOD | BETWEEN_MOD_SAME)))
        run.cause = Cause::kNone;  // what repeats is news
    // Told once, armed again by somebody: when nobody is seen to, there are others.
    if (key.registered && (key.mask & EV_ONESHOT) && !(key.between & (BETWEEN_MOD | BETWEEN_MOD_SAME)))
        run.doubt = "EPOLLONESHOT is armed again by calls that the log does not hold";
    if (key.handoff && !used)
        run.doubt = kHandedOver;
    if (!used && !key.equal)
        run.ended = true;
    return run;
}

void Runs::returned(const Place& at, const std::vector<PrintedEvent>& events, int64_t result, int64_t timeout,
                    bool whole, int64_t duration, uint64_t time)
{
    Epoll& epoll = epolls_[at.epoll];
    epoll.place = at;
    Nap& nap = naps_[at.tid];
    if (nap.ns && nap.epoll == at.epoll && events.size() >= 2 && duration >= 0 &&
        duration < static_cast<int64_t>(kAtOnce)) {
        LogRun& stall = stalls_[at.epoll];
        stall.epoll = at.epoll;
        stall.epfd = at.epfd;
        stall.pid = at.pid;
        stall.cause = LogRun::Cause::kStall;
        stall.returns++;
        stall.of = events.size();
        stall.ns += nap.ns;
        if (nap.ns > stall.longest) {
            stall.longest = nap.ns;
            stall.call = nap.call;
        }
    }
    nap = {at.epoll, -1, 0};
    if (result < 0)  // interrupted
        return;
    // With timeout 0, nothing is waiting; a wait that slept found nothing ready when it began.
    const bool slept = duration > 20 * static_cast<int64_t>(NSEC_PER_MSEC);
    epoll.zeros = result == 0 && timeout == 0 ? epoll.zeros + 1 : 0;
    if (epoll.zeros >= kFewest) {
        LogRun run;
        run.epoll = at.epoll;
        run.epfd = at.epfd;
        run.pid = at.pid;
        run.cause = LogRun::Cause::kZero;
        run.returns = epoll.zeros;
        keep(run);
    }
    for (size_t i = 0; i < epoll.keys.size();) {
        Key& key = epoll.keys[i];
        bool there = std::any_of(events.begin(), events.end(),
                                 [&](const PrintedEvent& e) { return e.data_known && e.data == key.data; });
        (key.answered || key.contact ? answered_ : open_)++;
        if ((there || !whole) && !slept) {
            i++;
            continue;
        }
        end(epoll, key, true);
        key = std::move(epoll.keys.back());
        epoll.keys.pop_back();
    }
    for (const PrintedEvent& event : events) {
        if (!event.data_known)
            continue;
        Key* key = find(epoll, event.data);
        if (!key) {
            if (epoll.keys.size() >= kMostKeys)
                continue;
            epoll.keys.emplace_back();
            start(epoll, epoll.keys.back(), event, time);
            epoll.keys.back().turns_alone = events.size() == 1;
            continue;
        }
        const uint32_t common = key->common & event.events;
        if (key->answered || !common) {
            end(epoll, *key, true);
            start(epoll, *key, event, time);
            key->turns_alone = events.size() == 1;
            continue;
        }
        key->equal &= event.events == key->common && events.size() == 1;
        key->common = common;
        key->count++;
        key->last = time;
        key->contacts += key->contact;
        key->others += key->other_now;
        key->contact = key->other_now = false;
        key->turns_alone &= events.size() == 1;
    }
    awaited_[at.tid] = {events.size() == 1 && events[0].data_known ? candidate_of(events[0].data) : -1, true};
}

void Runs::touch(uint32_t pid, int fd, uint32_t kind, uint32_t between, int error)
{
    for (auto& [id, epoll] : epolls_) {
        if (epoll.place.pid != pid)
            continue;
        epoll.zeros = 0;
        for (Key& key : epoll.keys) {
            if (key.candidate == fd && (key.registered || fd > 0)) {
                key.contact = true;
                key.between |= between;
                if (error)
                    key.error = error;
                key.answered |= answers(kind, key.common);
                continue;
            }
            if (key.registered || key.contacts > 1)
                continue;
            if (fd > 2)
                key.answered |= may_answer(kind, key.common);
            key.other = key.other == -1 || key.other == fd ? fd : -2;
            key.other_now = true;
            key.other_between |= between;
            if (error)
                key.other_error = error;
        }
    }
}

// The number leads elsewhere from now on.
void Runs::forget_number(uint32_t pid, int fd)
{
    for (auto& [id, epoll] : epolls_) {
        if (epoll.place.pid != pid)
            continue;
        if (auto at = epoll.members.find(fd); at != epoll.members.end()) {
            epoll.by_data.erase(at->second.data);
            epoll.members.erase(at);
        }
    }
    touch(pid, fd, kChanged, 0, 0);
}

// Nothing more will come: the runs that nobody has answered stand as they are.
void Runs::cut_off(Epoll& epoll)
{
    for (Key& key : epoll.keys)
        if (!key.answered)
            end(epoll, key, false);
}

void Runs::gone(uint32_t pid)
{
    for (auto at = epolls_.begin(); at != epolls_.end();) {
        if (at->second.place.pid != pid) {
            ++at;
            continue;
        }
        cut_off(at->second);
        at = epolls_.erase(at);
    }
}

void Runs::epoll_closed(uint64_t id)
{
    auto at = epolls_.find(id);
    if (at == epolls_.end())
        return;
    cut_off(at->second);
    epolls_.erase(at);
}

void Runs::controlled(const Place& at, int fd, bool del, const PrintedEvent& event, int64_t result)
{
    if (result == -ERRNO_EBADF) {
        touch(at.pid, fd, kLooked, BETWEEN_DEL_FAILED, 0);
        return;
    }
    if (result < 0)
        return;
    Epoll& epoll = epolls_[at.epoll];
    if (!epoll.place.epoll)
        epoll.place = at;
    uint32_t old = 0;
    if (auto member = epoll.members.find(fd); member != epoll.members.end()) {
        old = member->second.mask;
        epoll.by_data.erase(member->second.data);
    }
    if (del) {
        epoll.members.erase(fd);
    } else if (event.data_known) {
        epoll.members[fd] = {event.data, event.events};
        epoll.by_data[event.data] = fd;
        if (Key* key = find(epoll, event.data); key && key->candidate == fd)
            key->mask = event.events;
    }
    touch(at.pid, fd, kLooked, del || old != event.events ? BETWEEN_MOD : BETWEEN_MOD_SAME, 0);
}

void Runs::called(uint32_t pid, uint32_t tid, uint8_t call, std::string_view text, const PrintedResult& result,
                  bool message)
{
    if (call == LOG_URING)
        uring_ = true;
    if (call == LOG_FORK && text.find("CLONE_FILES") != std::string_view::npos)
        threads_ = true;
    if (call == LOG_EVERYDAY)
        return;
    if (call == CALL_FUTEX) {
        threads_ = true;
        for (auto& [id, epoll] : epolls_)
            if (epoll.place.pid == pid)
                for (Key& key : epoll.keys)
                    key.handoff = true;
        return;
    }
    if (epolls_.empty() || !result.known)
        return;
    if (call == CALL_EPOLL_CTL || call == CALL_EPOLL_WAIT || call == CALL_EPOLL_PWAIT2)
        return;  // controlled(), returned()
    if (opens_descriptor(call) || call == CALL_DUP || call == CALL_DUP2)
        if (result.value >= 0)
            forget_number(pid, static_cast<int>(result.value));
    PrintedFd fd;
    if (!Arguments(text).fd(fd))
        return;
    const int64_t value = result.value;
    switch (call) {
    case CALL_ACCEPT: {
        auto told = awaited_.find(tid);
        if (told != awaited_.end() && told->second.second && told->second.first == fd.number) {
            Herd& herd = herds_[{pid, fd.number}];
            herd.tries++;
            herd.empty += value == -ERRNO_EAGAIN;
            told->second.second = false;
        }
        touch(pid, fd.number, value >= 0 ? kTook : kLooked, value < 0 ? BETWEEN_ACCEPT_ERROR : 0,
              value < 0 ? static_cast<int>(-value) : 0);
        return;
    }
    case CALL_CLOSE: forget_number(pid, fd.number); return;
    case CALL_SHUTDOWN:
    case CALL_SETTIME:
    case CALL_CONNECT: {  // one that failed has changed nothing
        const bool done = value >= 0 || (call == CALL_CONNECT && value == -ERRNO_EINPROGRESS);
        touch(pid, fd.number, done ? kChanged : kLooked, done ? 0 : BETWEEN_OTHER_ERROR, 0);
        return;
    }
    case CALL_GETSOCKOPT:
        if (value == 0 && has_flag(text, "SO_ERROR") && text.find("[0]") == std::string_view::npos)
            touch(pid, fd.number, kChanged, 0, 0);
        else  // a connect() that has succeeded
            touch(pid, fd.number, has_flag(text, "SO_ERROR") ? kGave : kLooked, 0, 0);
        return;
    case CALL_IOCTL: touch(pid, fd.number, kLooked, BETWEEN_PEEK, 0); return;
    case CALL_FCNTL: return;
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: {
        Arguments arguments(text);
        PrintedFd second;
        arguments.skip(call == CALL_SPLICE ? 2 : 1);
        auto used = [&](int number) {
            touch(pid, number, value > 0 ? kTook | kGave : kLooked, value == 0 ? BETWEEN_READ_EOF : 0, 0);
        };
        used(fd.number);
        if (arguments.fd(second))
            used(second.number);
        return;
    }
    default: break;
    }
    if (takes_input(call)) {
        const bool peek = has_flag(text, "MSG_PEEK");
        const uint32_t between = peek                     ? BETWEEN_PEEK
                                 : value == 0 && message  ? 0
                                 : value == 0             ? BETWEEN_READ_EOF
                                 : value == -ERRNO_EAGAIN ? BETWEEN_READ_EAGAIN
                                 : value < 0              ? BETWEEN_READ_ERROR
                                                          : 0;
        touch(pid, fd.number, (value > 0 || (value == 0 && message)) && !peek ? kTook : kLooked, between, 0);
    } else if (gives_output(call)) {
        touch(pid, fd.number, value > 0 || value == -ERRNO_EAGAIN ? kGave : kLooked,
              value == -ERRNO_EAGAIN ? BETWEEN_WRITE_EAGAIN
              : value < 0            ? BETWEEN_WRITE_ERROR
                                     : BETWEEN_WRITE,
              0);
    }
}

void Runs::slept(uint32_t tid, int number, std::string_view name, int64_t result, uint64_t ns)
{
    auto at = naps_.find(tid);
    if (at == naps_.end() || ns < LEDGER_STALL_NS || number < 0)
        return;
    // A poll that timed out did not have the epoll among what it polled, or nothing was ready then.
    const bool polls = name == "poll" || name == "ppoll" || name == "select" || name == "pselect6";
    if ((polls && result != 0) || name == "futex" || name == "io_getevents" || name == "io_uring_enter" ||
        name.substr(0, 6) == "epoll_")
        return;
    if (ns > at->second.ns) {
        at->second.ns = ns;
        at->second.call = number;
    }
}

std::vector<LogRun> Runs::list(const LogSight& sight) const
{
    Runs now(*this);
    for (auto& [id, epoll] : now.epolls_)
        now.cut_off(epoll);
    std::vector<LogRun> all;
    using Cause = LogRun::Cause;
    const bool alone = (sight.pids || sight.birth || !threads_) && !sight.others_unseen;
    for (auto& [where, run] : now.best_) {
        const bool used = run.ground == LogRun::Ground::kUsed || run.ground == LogRun::Ground::kOnlyOne ||
                          (run.ground == LogRun::Ground::kRegistered && run.between);
        const bool answered_here = used && (run.cause == Cause::kEof || run.cause == Cause::kGhost ||
                                            run.cause == Cause::kAccept);
        if (sight.all_threads() && run.doubt == kHandedOver)
            run.doubt = nullptr;
        if (uring_)
            run.doubt = "io_uring may have answered: its requests are not in the log";
        else if (sight.others_unseen && !answered_here)
            run.doubt = "other threads are not in the log (strace -f)";
        else if (run.cause == Cause::kOut && !used && !sight.any_io())
            run.doubt = "the log holds no writes";
        else if (run.cause == Cause::kUnread && !(run.between & (BETWEEN_PEEK | BETWEEN_READ_ERROR))) {
            if (!sight.everything && !(sight.plain_input && sight.socket_input))
                run.doubt = "the log may not hold all reads";
            else if (!sight.any_io())
                run.doubt = "the log holds no reads";
            else if (!alone)
                run.doubt = "another thread may have read it, and the log does not follow threads (strace -f)";
            else if (run.ground == LogRun::Ground::kNone && !run.data)
                run.doubt = "its data is 0, as that of wake-ups which nobody reads";
        } else if (run.cause == Cause::kEof && !used && !sight.any_io())
            run.doubt = "the log holds no reads";
        all.push_back(run);
    }
    for (const auto& [where, herd] : herds_) {
        if (herd.empty < 8 || herd.empty * 10 < herd.tries * 8)
            continue;
        LogRun run;
        for (const auto& [id, epoll] : epolls_)
            if (epoll.place.pid == where.first) {
                run.epoll = id;
                run.epfd = epoll.place.epfd;
            }
        run.pid = where.first;
        run.fd = where.second;
        run.file = static_cast<uint64_t>(where.second);
        run.ground = LogRun::Ground::kUsed;
        run.cause = Cause::kHerd;
        run.returns = herd.empty;
        run.of = herd.tries;
        all.push_back(run);
    }
    for (const auto& [epoll, run] : stalls_) {
        all.push_back(run);
        if (!alone)
            all.back().doubt = "another thread may have polled, and the log does not follow threads (strace -f)";
    }
    return all;
}

}  // namespace epaudit
