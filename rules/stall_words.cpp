// SPDX-License-Identifier: Apache-2.0
#include "rules/stall_words.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include "bpf/ledger_limits.h"
#include "rules/evidence.h"
#include "src/books/call_names.h"
#include "src/books/duration.h"

namespace epaudit {
namespace {

constexpr const char* kInAnotherLoop = "in epoll_wait on another epoll";
constexpr const char* kComputesFix =
    "do long computations in slices or on a worker thread, which tells the loop through an eventfd when it is done";
constexpr const char* kPollsFix =
    "do not run another loop inside a handler (spawnSync, a nested main loop): the connections of this one are not "
    "served meanwhile";

}  // namespace

bool stalled_asleep(const epoll_row& epoll)
{
    return epoll.stall_nap_ns >= LEDGER_NAP_NS || epoll.stall_cpu_ns < epoll.stall_ns / 2;
}

std::string stall_cause(const epoll_row& epoll)
{
    if (epoll.stall_call == AWAY_IN_ANOTHER_LOOP)
        return kInAnotherLoop;
    return stalled_asleep(epoll) ? "in " + system_call_name(epoll.stall_call) : "on the CPU";
}

// A batch may hold several sleeps, of which the longest is known.
std::string stall_kept_away(const epoll_row& epoll)
{
    const std::string lasted = duration_text(epoll.stall_ns);
    if (!stalled_asleep(epoll))
        return "busy on the CPU for " + lasted;
    if (epoll.stall_nap_ns * 10 >= epoll.stall_ns * 9)
        return fmt::format("blocked {} for {}", stall_cause(epoll), lasted);
    return fmt::format("away for {} ({} of it in one {})", lasted, duration_text(epoll.stall_nap_ns),
                       system_call_name(epoll.stall_call));
}

const char* stall_fix(const epoll_row& epoll)
{
    if (epoll.stall_call == AWAY_IN_ANOTHER_LOOP)
        return kPollsFix;
    return stalled_asleep(epoll) ? fix_for_blocking_call(epoll.stall_call) : kComputesFix;
}

std::string stall_doing(const LastingStall& stall)
{
    switch (stall.doing) {
    case LastingStall::Doing::kComputes: return "computing";
    case LastingStall::Doing::kPolls: return kInAnotherLoop;
    default: return "in " + system_call_name(stall.call);
    }
}

const char* stall_fix(const LastingStall& stall)
{
    switch (stall.doing) {
    case LastingStall::Doing::kComputes: return kComputesFix;
    case LastingStall::Doing::kPolls: return kPollsFix;
    default: return fix_for_blocking_call(stall.call);
    }
}

const char* fix_for_blocking_call(int call)
{
    switch (call) {
    case SYS_nanosleep:
    case SYS_clock_nanosleep: return "never sleep in the loop's thread: use a timerfd or the timeout of epoll_wait";
    case SYS_connect: return "make the socket non-blocking before connect(), and wait for EPOLLOUT";
    case SYS_futex:
        return "do not wait for another thread in the loop: hold locks briefly, and let workers report through an "
               "eventfd";
    case SYS_wait4:
    case SYS_waitid: return "wait for children through a pidfd (or signalfd) in the epoll";
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_read:
    case SYS_write:
        return "make the fd non-blocking and register it with the epoll; files go to a worker thread or io_uring";
    default:
        return "move the blocking call to a worker thread (or io_uring), which tells the loop through an eventfd when "
               "it is done";
    }
}

std::vector<TimelineEntry> stall_story(const Snapshot& books, const epoll_row& e)
{
    std::vector<TimelineEntry> lines;
    lines.push_back(
        moment(books, e.stall_from, e.stall_tid,
               e.stall_call == AWAY_IN_ANOTHER_LOOP
                   ? std::string("epoll_wait returned")
                   : fmt::format("epoll_wait returned {} event{}", e.stall_batch, e.stall_batch == 1 ? "" : "s")));
    if (stalled_asleep(e))
        lines.push_back(moment(books, e.stall_until, e.stall_tid,
                               fmt::format("had slept {} {}", duration_text(e.stall_nap_ns), stall_cause(e))));
    lines.push_back(
        moment(books, e.stall_until, e.stall_tid,
               fmt::format("waits again{} {} {}", books.state_known ? ";" : ", and is told of",
                           clients_text(e.stall_kept), books.state_known ? "had been waiting" : "at once")));
    return lines;
}

std::string clients_text(uint32_t clients) { return fmt::format("{} client{}", clients, clients == 1 ? "" : "s"); }

}  // namespace epaudit
