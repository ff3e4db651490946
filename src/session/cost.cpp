// SPDX-License-Identifier: Apache-2.0
#include "src/session/cost.h"

#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <utility>
#include <vector>

#include "src/books/duration.h"
#include "src/support/clock.h"
#include "src/symbols/symbols_child.h"

namespace epaudit {
namespace {

constexpr uint64_t kWindowNs = NSEC_PER_SEC / 5;
constexpr uint64_t kSoonestNs = 2 * NSEC_PER_SEC, kPeriodNs = 10 * NSEC_PER_SEC;
// A loop that turns a hundred times a second has done so a few times.
constexpr uint64_t kShortestNs = NSEC_PER_SEC / 20;
constexpr uint64_t kToldAfterNs = NSEC_PER_SEC;
// However many processes there are, asking them is not to be what costs most.
constexpr size_t kMostProcesses = 256;

// Of all threads, to the nanosecond; /proc counts ticks of 10 ms.
std::map<uint32_t, uint64_t> cpu_ns(const std::vector<uint32_t>& pids)
{
    std::map<uint32_t, uint64_t> out;
    for (uint32_t pid : pids) {
        if (out.size() == kMostProcesses)
            break;
        clockid_t clock{};
        timespec spent{};
        if (clock_getcpuclockid(static_cast<pid_t>(pid), &clock) == 0 && clock_gettime(clock, &spent) == 0)
            out[pid] = static_cast<uint64_t>(spent.tv_sec) * NSEC_PER_SEC + static_cast<uint64_t>(spent.tv_nsec);
    }
    return out;
}

}  // namespace

double own_cpu_seconds()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime) + seconds_of(symbols_cpu_ns());
}

void Cost::begin(LiveCapture& live)
{
    const uint64_t now = monotonic_ns();
    if (!first_at_)
        first_at_ = now;
    open_window(live, now);
}

// After as long again as it has been since the first one.
uint64_t Cost::next_at() const { return began_at_ + std::clamp(began_at_ - first_at_, kSoonestNs, kPeriodNs); }

void Cost::tick(LiveCapture& live)
{
    const uint64_t now = monotonic_ns();
    if (open_ && now - began_at_ >= kWindowNs)
        close_window(live, now);
    else if (!open_ && possible_ && now >= next_at())
        open_window(live, now);
}

void Cost::end(LiveCapture& live)
{
    interrupt(live);
    live.measure(false);
}

void Cost::open_window(LiveCapture& live, uint64_t now)
{
    possible_ = live.measure(true);
    open_ = possible_;
    began_at_ = now;
    if (!open_)
        return;
    cpu_then_ = cpu_ns(live.watched());
    probes_then_ = live.probe_ns();
}

void Cost::close_window(LiveCapture& live, uint64_t now)
{
    const uint64_t probes = live.probe_ns();
    live.measure(false);
    open_ = false;
    uint64_t watched = 0;
    for (const auto& [pid, spent] : cpu_ns(live.watched())) {
        auto then = cpu_then_.find(pid);
        const uint64_t before = then == cpu_then_.end() ? 0 : then->second;  // it was born in this window
        watched += spent - std::min(spent, before);
    }
    const uint64_t ns = now - began_at_, probe_ns = probes - std::min(probes, probes_then_);
    newest_ = Stretch{static_cast<double>(probe_ns) / static_cast<double>(ns),
                      static_cast<double>(watched) / static_cast<double>(ns), ns};
    window_ns_ += ns;
    probe_ns_ += probe_ns;
    watched_ns_ += watched;
}

std::optional<Cost::Stretch> Cost::newest(uint64_t now)
{
    return now >= began_at_ + kToldAfterNs ? std::exchange(newest_, std::nullopt) : std::nullopt;
}

void Cost::interrupt(LiveCapture& live)
{
    const uint64_t now = monotonic_ns();
    if (open_ && now - began_at_ >= kShortestNs)
        close_window(live, now);
    else if (open_)
        live.measure(false);
    open_ = false;
}

std::optional<WatchingCost> Cost::measured(double own_cpu_s, double seconds) const
{
    if (!window_ns_ || seconds <= 0)
        return std::nullopt;
    const double measured_s = seconds_of(window_ns_);
    return WatchingCost{static_cast<double>(probe_ns_) / static_cast<double>(window_ns_) * attached_share_,
                        own_cpu_s / seconds, seconds_of(watched_ns_) / measured_s, measured_s};
}

}  // namespace epaudit
