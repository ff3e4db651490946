// SPDX-License-Identifier: Apache-2.0
#include "rules/lasting_stall.h"

#include <sys/syscall.h>

#include <algorithm>
#include <iterator>

#include "bpf/ledger_sweep.h"
#include "rules/evidence.h"
#include "rules/inner_epoll.h"

namespace epaudit {
namespace {

// Calls in which a thread waits for the work of others, or for events by another way: that may be how it is meant.
constexpr int kWaits[] = {
    SYS_futex,        SYS_ppoll,          SYS_pselect6,        SYS_epoll_pwait,
    SYS_epoll_pwait2, SYS_io_uring_enter, SYS_rt_sigtimedwait, SYS_rt_sigsuspend,
#ifdef SYS_poll
    SYS_poll,         SYS_select,         SYS_epoll_wait,      SYS_pause,
#endif
};

bool waits_for_others(int call) { return std::find(std::begin(kWaits), std::end(kWaits), call) != std::end(kWaits); }

bool is_client(const Entry& entry)
{
    const uint8_t kind = entry.file.kind;
    return (kind == FILE_TCP || kind == FILE_LISTENER || kind == FILE_UDP) &&
           (entry.live_mask & (EV_IN | EV_RDNORM | EV_RDHUP)) && entry.ready && input_waits(entry);
}

// As ledger_kept_alone(), of a sleep that has not ended.
bool kept_alone(const LastingStall& stall, const epoll_row& e, const thread_row& t, const Entry& entry, uint64_t now)
{
    const registration_row& r = entry.registration;
    if (stall.doing == LastingStall::Doing::kComputes || e.clients < 2 || r.ready_at < stall.from)
        return false;
    const uint64_t since = std::max(r.ready_at, now - stall.nap_ns);
    if (since + LEDGER_STALL_NS > now || (e.polled_other_at && e.polled_other_at + LEDGER_POLLED_NS > stall.from))
        return false;
    const uint64_t turn = t.epoll == entry.key.epoll ? t.return_at : stall.from;
    return r.delivered_at < turn && r.armed_at < turn && entry.file.attempt_at < turn && entry.file.wrote_at < turn;
}

void count_clients(LastingStall& stall, const Snapshot& books, uint64_t id, const epoll_row& e, const thread_row& t,
                   uint64_t ready_ns)
{
    for (const Entry& entry : books.entries) {
        const uint64_t since = ledger_kept_since(&entry.registration, &entry.file);
        if (entry.key.epoll != id || !is_client(entry) || !since || std::max(since, stall.from) + ready_ns > books.time)
            continue;
        stall.clients += entry.file.kind == FILE_LISTENER && entry.state.backlog > 1 ? 2 : 1;
        stall.alone |= kept_alone(stall, e, t, entry, books.time);
        stall.example = &entry;
    }
}

// Its thread has gone to poll another epoll, as a loop that is run within a handler does.
std::optional<LastingStall> in_another_loop(const Snapshot& books, uint64_t id, const epoll_row& e)
{
    const thread_row* t = books.thread(e.polled_tid);
    if (!t || t->epoll == id || !e.polled_at)
        return std::nullopt;
    if (t->epoll && registered_in(books, id, t->epoll))  // it is told of this one there: EP101
        return std::nullopt;
    LastingStall stall;
    stall.doing = LastingStall::Doing::kPolls;
    stall.tid = e.polled_tid;
    stall.tgid = t->tgid;
    stall.from = std::max(e.polled_at, t->stopped_at);
    stall.ns = stall.nap_ns = books.time - std::min(stall.from, books.time);
    return stall;
}

void measure_sleep(LastingStall& stall, const thread_row& t, const AwayThread& away, uint64_t now)
{
    const uint64_t delay = away.delay_ns > t.base_delay ? away.delay_ns - t.base_delay : 0;
    const uint64_t known = stall.cpu_ns + delay + t.naps_ns + t.stopped_ns;
    const uint64_t elapsed = now - t.base_at;
    stall.nap_ns = std::min(elapsed > known ? elapsed - known : 0, stall.ns);
    stall.slept_ns = waits_for_others(t.nap_call) ? 0 : stall.nap_ns + t.naps_ns;
    stall.call = away.call;
    stall.doing = waits_for_others(away.call) ? LastingStall::Doing::kWaits : LastingStall::Doing::kSleeps;
}

std::optional<LastingStall> in_a_handler(const Snapshot& books, const epoll_row& e, uint32_t tid, const thread_row& t)
{
    auto at = books.away.find(tid);
    if (at == books.away.end() || !t.base_at || at->second.cpu_ns < t.base_cpu)
        return std::nullopt;
    const AwayThread& away = at->second;
    LastingStall stall;
    stall.tid = tid;
    stall.tgid = t.tgid;
    stall.from = std::max({e.polled_at, t.return_at, t.stopped_at});
    if (stall.from >= books.time)
        return std::nullopt;
    stall.ns = books.time - stall.from;
    stall.cpu_ns = away.cpu_ns - t.base_cpu;
    if (away.call != AwayThread::kRuns) {
        measure_sleep(stall, t, away, books.time);
        return stall;
    }
    stall.doing = LastingStall::Doing::kComputes;
    if (stall.ns < t.batch * LEDGER_SLOW_NS)  // it has much to do
        return std::nullopt;
    return stall;
}

}  // namespace

std::optional<LastingStall> find_lasting(const Snapshot& books, uint64_t id, const epoll_row& e, uint64_t ready_ns)
{
    const thread_row* newest = nullptr;
    uint32_t tid = 0;
    for (const auto& [number, t] : books.threads) {
        if (t.epoll != id)
            continue;
        if (t.waiting)
            return std::nullopt;
        if (!newest || t.return_at > newest->return_at) {
            newest = &t;
            tid = number;
        }
    }
    std::optional<LastingStall> stall = newest ? in_a_handler(books, e, tid, *newest) : in_another_loop(books, id, e);
    if (!stall || stall->ns < ready_ns || books.stopped(stall->tgid))
        return std::nullopt;
    count_clients(*stall, books, id, e, newest ? *newest : *books.thread(stall->tid), ready_ns);
    if (stall->clients < 2 && !stall->alone)
        return std::nullopt;
    return stall;
}

std::vector<const Entry*> ready_from_start(const Snapshot& books, uint64_t id, const epoll_row& e, uint64_t ready_ns)
{
    std::vector<const Entry*> waiting;
    const bool polled = e.waits || e.polled_at ||
                        std::any_of(books.threads.begin(), books.threads.end(),
                                    [id](const auto& t) { return t.second.epoll == id; });
    if (polled || books.stopped(e.tgid))
        return waiting;
    for (const Entry& entry : books.entries) {
        const registration_row& r = entry.registration;
        if (entry.key.epoll == id && is_client(entry) && (r.flags & REGISTRATION_SEEDED) && !r.delivered_at &&
            entry.file.stuck_at && entry.file.stuck_at + ready_ns <= books.time && !entry.file.attempt_at)
            waiting.push_back(&entry);
    }
    return waiting;
}

}  // namespace epaudit
