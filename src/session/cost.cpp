// SPDX-License-Identifier: Apache-2.0
#include "src/session/cost.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "src/books/duration.h"
#include "src/support/clock.h"
#include "src/support/proc.h"
#include "src/symbols/symbols_child.h"

namespace epaudit {
namespace {

constexpr uint64_t kWindowNs = 1000000000;
constexpr uint64_t kPeriodNs = 10 * kWindowNs;
// Clock ticks of /proc are 10 ms: less says nothing.
constexpr uint64_t kShortestNs = kWindowNs / 12;
// However many processes there are, asking them is not to be what costs most.
constexpr size_t kMostProcesses = 256;

std::map<uint32_t, uint64_t> cpu_ticks(const std::vector<uint32_t>& pids)
{
    std::map<uint32_t, uint64_t> out;
    for (uint32_t pid : pids) {
        if (out.size() == kMostProcesses)
            break;
        if (const auto stat = read_proc_stat(pid))
            out[pid] = stat->user_ticks + stat->system_ticks;
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

void Cost::begin(LiveCapture& live) { open_window(live, monotonic_ns()); }

void Cost::tick(LiveCapture& live)
{
    const uint64_t now = monotonic_ns();
    if (open_ && now - began_at_ >= kWindowNs)
        close_window(live, now);
    else if (!open_ && possible_ && now - began_at_ >= kPeriodNs)
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
    cpu_then_ = cpu_ticks(live.watched());
    probes_then_ = live.probe_ns();
}

void Cost::close_window(LiveCapture& live, uint64_t now)
{
    const uint64_t probes = live.probe_ns();
    live.measure(false);
    open_ = false;
    uint64_t watched_ticks = 0;
    for (const auto& [pid, ticks] : cpu_ticks(live.watched())) {
        auto then = cpu_then_.find(pid);
        const uint64_t before = then == cpu_then_.end() ? 0 : then->second;  // it was born in this window
        watched_ticks += ticks - std::min(ticks, before);
    }
    const uint64_t ns = now - began_at_, probe_ns = probes - std::min(probes, probes_then_);
    newest_ = Stretch{
        static_cast<double>(probe_ns) / static_cast<double>(ns),
        static_cast<double>(watched_ticks) * 1e9 / static_cast<double>(sysconf(_SC_CLK_TCK)) / static_cast<double>(ns),
        ns};
    window_ns_ += ns;
    probe_ns_ += probe_ns;
    watched_ticks_ += watched_ticks;
}

std::optional<Cost::Stretch> Cost::newest() { return std::exchange(newest_, std::nullopt); }

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
    const auto per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    return WatchingCost{static_cast<double>(probe_ns_) / static_cast<double>(window_ns_) * attached_share_,
                        own_cpu_s / seconds, static_cast<double>(watched_ticks_) / per_second / measured_s, measured_s};
}

}  // namespace epaudit
