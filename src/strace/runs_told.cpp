// SPDX-License-Identifier: Apache-2.0
// What a run of equal returns means, how its fd is known, and what stands against it.
#include "bpf/ledger_limits.h"
#include "src/strace/interpreter.h"
#include "src/strace/runs.h"

namespace epaudit {
namespace {

using Cause = LogRun::Cause;
using Ground = LogRun::Ground;

// Wake-ups for a listener that found nothing to accept, before they are a herd.
constexpr uint64_t kFewestEmpty = 8;

Cause cause_of(const LogRun& run)
{
    const uint32_t e = run.events;
    const bool agained = run.between & BETWEEN_READ_EAGAIN;
    if (run.closed || (run.between & BETWEEN_DEL_FAILED) || run.bad_number)
        return Cause::kGhost;
    if (run.between & BETWEEN_ACCEPT_ERROR)
        return run.error == ERRNO_EAGAIN ? Cause::kNone : Cause::kAccept;
    if (run.between & BETWEEN_READ_EOF)
        return Cause::kEof;
    if (e & EV_ERR)
        return Cause::kHupErr;
    if (e & EV_HUP)
        return Cause::kHupErr;
    if (e & EV_RDHUP)
        return Cause::kEof;
    if ((e & EV_OUT) && (agained || !(e & kRunInput) || (run.between & (BETWEEN_MOD | BETWEEN_MOD_SAME))))
        return Cause::kOut;
    if (e & kRunInput)  // read() finds nothing: somebody else took it, but not what only MSG_OOB takes
        return agained && (e & (EV_IN | EV_RDNORM)) ? Cause::kNone : Cause::kUnread;
    return Cause::kNone;
}

// Did the program use the fd that is meant, so that what it did is known?
bool used(const LogRun& run)
{
    return run.ground == Ground::kUsed || run.ground == Ground::kOnlyOne ||
           (run.ground == Ground::kRegistered && run.between);
}

// Why input that nobody in the log took may have been taken; nullptr: it cannot.
const char* doubt_unread(const LogRun& run, const LogSight& sight, bool alone)
{
    if (!sight.everything && !(sight.plain_input && sight.all_socket_input()))
        return "the log may not hold all reads";
    if (!sight.any_io())
        return "the log holds no reads";
    if (!alone)
        return "another thread may have read it, and the log does not follow threads (strace -f)";
    if (run.ground == Ground::kNone && !run.data)
        return "its data is 0, as that of wake-ups which nobody reads";
    return nullptr;
}

// Messages, and nothing that an event could have been about.
bool only_talks(int fd, uint32_t between)
{
    constexpr uint32_t kWrites = BETWEEN_WRITE | BETWEEN_WRITE_EAGAIN | BETWEEN_WRITE_ERROR;
    return (fd == 1 || fd == 2) && !(between & ~kWrites);
}

// What data points to is not known, and no call on it was seen: there are files that need none, and what looked like a
// message may have been the answer.
const char* doubt_unknown(const LogRun& run, bool busy, bool in_use)
{
    const bool change = (run.events & EV_PRI) && !(run.events & EV_IN);
    if (change && !in_use &&
        (run.cause == Cause::kUnread || (run.cause == Cause::kHupErr && run.ground == Ground::kNone)))
        return "files of /proc, /sys and cgroups may report each change so";
    if (run.ground != Ground::kNone)
        return nullptr;
    if (busy && run.cause == Cause::kUnread)
        return "it may be a ring buffer (perf, BPF), which is read without a call";
    return busy && run.cause == Cause::kOut ? "what was written to fd 1 or 2 may have been meant for it" : nullptr;
}

}  // namespace

// Input that nothing was done about, but that the waits had to wait for: it is consumed by other means than a call.
// Without their lengths, waits that follow one another so slowly may have slept.
void Runs::consider_pace(const Key& key, LogRun& run) const
{
    constexpr uint64_t kSlowPace = 2 * NSEC_PER_MSEC;
    if (run.cause != Cause::kUnread || run.ground == Ground::kOnlyOne || key.contacts)
        return;
    if (key.timed * 2 >= key.count) {
        if (key.slept * 2 >= key.timed)
            run.cause = Cause::kNone;
    } else if (timed_ && run.ns >= kSlowPace * run.returns) {
        run.doubt = "the waits may have slept: how long they took is not in the log (strace -T)";
    }
}

LogRun Runs::outline(const Epoll& epoll, const Key& key)
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
    // What ended it was not done in the turns before.
    run.between = key.between | (key.is_over() ? 0 : key.newest);
    run.error = key.error;
    run.closed = key.closed;
    return run;
}

LogRun Runs::describe(const Epoll& epoll, const Key& key) const
{
    LogRun run = outline(epoll, key);
    bool in_use = key.contacts > 0;
    // A number with memory above it that nobody cleared is that of an fd, and no index.
    const bool named = key.candidate > 0 && key.data >> 32;
    const bool only = !named && !key.registered && !key.closed && !in_use && key.other >= 0 && key.turns_alone &&
                      key.others * 10 >= (key.count - 1) * 9 &&
                      !only_talks(key.other, key.other_between | key.other_newest);
    if (key.registered || key.closed) {
        run.ground = Ground::kRegistered;
    } else if (in_use) {
        run.ground = Ground::kUsed;
    } else if (only) {
        run.ground = Ground::kOnlyOne;
        run.fd = key.other;
        run.between = key.other_between | (key.is_over() ? 0 : key.other_newest);
        run.error = key.other_error;
        in_use = true;
    } else if (key.candidate > 0) {
        run.ground = Ground::kData;
    } else {
        run.ground = Ground::kNone;
        run.fd = -1;
    }
    // The number that another process registered leads nowhere here, and its file lives.
    const bool foreign = key.elsewhere && (run.error == ERRNO_EBADF || (run.between & BETWEEN_DEL_FAILED));
    if (foreign) {
        run.between &= ~uint32_t{BETWEEN_DEL_FAILED};
        run.doubt = "the fd is that of another process, which shares the epoll";
    }
    run.bad_number = run.error == ERRNO_EBADF && !foreign &&
                     (run.between & (BETWEEN_READ_ERROR | BETWEEN_WRITE_ERROR | BETWEEN_OTHER_ERROR));
    run.file = run.fd >= 0 ? static_cast<uint64_t>(run.fd) : run.data | 1ULL << 63;
    run.cause = cause_of(run);
    consider(epoll, key, in_use, run);
    return run;
}

// What speaks against it.
void Runs::consider(const Epoll& epoll, const Key& key, bool in_use, LogRun& run) const
{
    const bool rearmed = (key.between | key.newest) & (BETWEEN_MOD | BETWEEN_MOD_SAME);
    const bool edge = key.registered && (key.mask & EV_ET);
    // What repeats is news. A loop may be woken so: its eventfd always has something, and is told of once each time that it
    // is armed again (asio).
    const bool woken = run.cause == Cause::kUnread && !(key.mask & EV_ONESHOT);
    if (edge && run.cause != Cause::kGhost && run.cause != Cause::kAccept && (!rearmed || woken))
        run.cause = Cause::kNone;
    // Told once, armed again by somebody: when nobody is seen to, there are others.
    if (key.registered && (key.mask & EV_ONESHOT) && !rearmed)
        run.doubt = "EPOLLONESHOT is armed again by calls that the log does not hold";
    auto process = processes_.find(epoll.place.pid);
    if (!in_use && process != processes_.end() && process->second.handoffs != key.handoffs)
        run.doubt = kHandedOver;
    if (const char* doubt = doubt_unknown(run, key.busy, in_use))
        run.doubt = doubt;
    consider_pace(key, run);
}

// Nothing was done about it in this run, and about as often something was, in a row and without a wait: so look the logs
// of two threads, one put behind the other.
bool Runs::moved_elsewhere(const LogRun& run) const
{
    constexpr uint64_t kFewest = 20;
    const auto at = rows_.find({run.pid, run.fd});
    if (at == rows_.end())
        return false;
    const uint64_t moved = run.cause == Cause::kUnread ? at->second.most_reads
                           : run.cause == Cause::kOut  ? at->second.most_writes
                                                       : 0;
    return moved >= kFewest && moved * 2 >= run.returns;
}

void Runs::add_herds(std::vector<LogRun>& all) const
{
    for (const auto& [where, herd] : herds_) {
        if (herd.empty < kFewestEmpty || herd.empty * 10 < herd.tries * 8)
            continue;
        LogRun run;
        if (auto process = processes_.find(where.first); process != processes_.end())
            for (const Epoll& epoll : process->second.epolls)
                if (epoll.place.epoll) {  // the youngest
                    run.epoll = epoll.place.epoll;
                    run.epfd = epoll.place.epfd;
                }
        run.pid = where.first;
        run.fd = where.second;
        run.file = static_cast<uint64_t>(where.second);
        run.ground = Ground::kUsed;
        run.cause = Cause::kHerd;
        run.returns = herd.empty;
        run.of = herd.tries;
        all.push_back(run);
    }
}

std::vector<LogRun> Runs::list(const LogSight& sight) const
{
    Runs now(*this);
    for (auto& [pid, process] : now.processes_)
        for (const Epoll& epoll : process.epolls)
            now.cut_off(epoll);
    std::vector<LogRun> all;
    const bool alone = (sight.pids || sight.birth || !threads_) && !sight.others_unseen && !sight.per_thread &&
                       !sight.apart;
    for (auto& [where, run] : now.best_) {
        const bool answered_here = used(run) && (run.cause == Cause::kEof || run.cause == Cause::kGhost ||
                                                 run.cause == Cause::kAccept);
        if (sight.all_threads() && run.doubt == kHandedOver)
            run.doubt = nullptr;
        if (!sight.pids && moved_elsewhere(run))
            run.doubt = "what another thread did may stand elsewhere in the log (strace -f writes one, in order)";
        if (uring_)
            run.doubt = "io_uring may have answered: its requests are not in the log";
        else if (sight.others_unseen && !answered_here)
            run.doubt = "other threads are not in the log (strace -f)";
        else if (run.cause == Cause::kOut && !used(run) && !sight.any_output())
            run.doubt = "the log holds no writes";
        else if (run.cause == Cause::kEof && !used(run) && !sight.any_io())
            run.doubt = "the log holds no reads";
        else if (run.cause == Cause::kUnread && !(run.between & (BETWEEN_PEEK | BETWEEN_READ_ERROR)))
            if (const char* doubt = doubt_unread(run, sight, alone))
                run.doubt = doubt;
        all.push_back(run);
    }
    add_herds(all);
    for (const auto& [epoll, run] : stalls_.found()) {
        all.push_back(run);
        if (!alone)
            all.back().doubt = "another thread may have polled, and the log does not follow threads (strace -f)";
    }
    return all;
}

}  // namespace epaudit
