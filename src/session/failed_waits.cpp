// SPDX-License-Identifier: Apache-2.0
#include "src/session/failed_waits.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/books/duration.h"

namespace epaudit {
namespace {

constexpr uint64_t kFailuresPerSecond = 100;
constexpr uint64_t kLongEnough = NSEC_PER_SEC;
// Counters and rows are not read at one moment: of a busy server some returns are counted here and not there.
constexpr uint64_t kOneOf = 10;

// Waits on it that ended without events, without a time-out and not by a signal, or are not over.
uint64_t failed_of(const epoll_row& e)
{
    const uint64_t well = e.returns + e.timeouts + e.interrupts;
    return e.waits > well ? e.waits - well : 0;
}

}  // namespace

void FailedWaits::Growth::note(uint64_t time, uint64_t now, uint64_t now_all)
{
    const uint64_t passed = time - at, more = now - count;
    if (at && now >= count && more * NSEC_PER_SEC >= kFailuresPerSecond * passed && more * kOneOf >= now_all - all) {
        ns += passed;
        grown += more;
    } else {
        ns = grown = 0;
    }
    at = time;
    count = now;
    all = now_all;
}

void FailedWaits::look(const Snapshot& books, bool counted)
{
    look_at_epolls(books);
    if (counted)
        look_at_calls(books);
}

void FailedWaits::begin_anew()
{
    epolls_.clear();
    nowhere_ = {};
    ids_.clear();
}

void FailedWaits::look_at_epolls(const Snapshot& books)
{
    std::map<uint64_t, Growth> now;
    for (const auto& [id, e] : books.epolls) {
        Growth& growth = now[id];
        if (const auto before = epolls_.find(id); before != epolls_.end())
            growth = before->second;
        growth.note(books.time, failed_of(e), e.waits);
        keep(growth, e.tgid);
    }
    epolls_ = std::move(now);
}

// What led to an epoll is in its row. One that is closed takes its row with it, and may have come and gone between two
// looks: then it is not known how much that was. Rows of threads do as well, and nobody counts those.
void FailedWaits::look_at_calls(const Snapshot& books)
{
    uint64_t led = 0;
    std::vector<uint64_t> ids;
    for (const auto& [id, e] : books.epolls) {
        led += e.waits;
        ids.push_back(id);
    }
    const uint64_t calls = books.stats[size_t{STAT_CALLS} + POSTING_RETURN];
    const uint64_t created = books.stats[size_t{STAT_CALLS} + POSTING_CREATE];
    if (created != created_ || !std::includes(ids.begin(), ids.end(), ids_.begin(), ids_.end()))
        nowhere_ = {};
    created_ = created;
    ids_ = std::move(ids);
    nowhere_.note(books.time, calls > led ? calls - led : 0, calls);
    keep(nowhere_, 0);
}

void FailedWaits::keep(const Growth& growth, uint32_t owner)
{
    if (growth.ns >= kLongEnough && growth.ns > worst_.ns)
        worst_ = {growth.ns, growth.grown, owner};
}

std::optional<InconclusiveReason> FailedWaits::reason() const
{
    if (!worst_.ns)
        return std::nullopt;
    const double seconds = seconds_of(worst_.ns);
    const std::string what = worst_.owner
                                 ? fmt::format("epoll_wait() on an epoll of pid {} failed, as it does with maxevents 0",
                                               worst_.owner)
                                 : "epoll_wait() on what is no epoll, or no more, failed";
    return InconclusiveReason{
        Inconclusive::kUnjudged,
        fmt::format("{} {:.0f} times per s for {:.1f} s: that its loop hears of nothing is no rule's matter", what,
                    static_cast<double>(worst_.failed) / seconds, seconds),
        "strace -f -e trace=epoll_wait,epoll_pwait,epoll_pwait2 shows the descriptor and the error"};
}

}  // namespace epaudit
