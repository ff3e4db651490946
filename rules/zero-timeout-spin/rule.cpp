// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/log_runs.h"
#include "rules/window.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::zero_timeout_spin {
namespace {

// Gaps between two waits below 2^kShortGap us count as nothing done.
constexpr unsigned kShortGap = 5;

constexpr Threshold kWindowS{"window_s",
                             {5, 2, Unit::kSeconds},
                             "seconds it must last",
                             {"a burst that ends by itself counts", "short episodes are averaged away"},
                             kPatience};
constexpr Threshold kEmptyPerS{"empty_per_s",
                               {1000, 1000, Unit::kPerSecond},
                               "waits per second with timeout 0 that find nothing",
                               {"loops that mostly do other work are remarked on", "slow polling is missed"}};
constexpr Threshold kShare{
    "share",
    {0.95, 0.95, Unit::kShare},
    "share of such waits among all of the thread",
    {"loops that also find work are remarked on", "polling with a real wait now and then is missed"}};
constexpr Threshold kCpu{"cpu",
                         {0.9, 0.1, Unit::kShare},
                         "share of a core that the thread burns",
                         {"polling that costs little is remarked on", "polling on a crowded core is missed"}};
constexpr Threshold kIdleShare{
    "idle_share",
    {0.9, 0.9, Unit::kShare},
    "share of the gaps between two waits that are shorter than 32 us: no work is done there",
    {"loops that work between two polls are remarked on", "polling that is interrupted is missed"}};
constexpr Threshold kBurstsPerS{"bursts_per_s",
                                {5, 5, Unit::kPerSecond},
                                "rows per second of 8 and more such waits that end in a wait with a timeout",
                                {"a late timer now and then is remarked on", "slow timers go unmentioned"}};
constexpr Threshold kWaitedS{
    "waited_s",
    {10, 1, Unit::kSeconds},
    "seconds that the thread was seen to spend in waits with a timeout, before",
    {"a pause at the start passes for a habit of waiting", "programs that seldom waited stay a remark"}};
constexpr Threshold kWaited{
    "waited",
    {10, 10, Unit::kCount},
    "how many such waits it made",
    {"a pause at the start passes for a habit of waiting", "programs that seldom waited stay a remark"}};
constexpr Threshold kForGoodS{"for_good_s",
                              {30, 2, Unit::kSeconds},
                              "seconds since the last of them: then the loop has lost its timeout, and it is likely",
                              {"a busy phase that ends is accused", "it stays a remark for longer"}};
constexpr Threshold kNoBusyPoll{
    "no_busy_poll",
    {0, 0, Unit::kSwitch},
    "1: this program is not meant to poll busily, so it is likely and not a remark",
    {"0: a program that lost its timeout at the start stays a remark", "1: polling on purpose is accused"}};

const RuleInfo kInfo{"EP206",
                     "zero-timeout-spin",
                     "epoll_wait(0) in a tight loop",
                     Level::kLikely,
                     {kLogReturns, kWindowS, kEmptyPerS, kShare, kCpu, kIdleShare, kBurstsPerS, kWaitedS, kWaited,
                      kForGoodS, kNoBusyPoll},
                     {Seam::kState},
                     "deliberate busy polling looks the same; work of less than 32 us between two waits",
                     {StackRole::kWait}};

constexpr const char* kSteadyFix =
    "wait with the time to the next timer as timeout, -1 if there is none, and let an eventfd wake the loop for other "
    "work; if busy polling is meant, ignore EP206";

struct Zeros {
    uint32_t zeros = 0;
    uint32_t returns = 0;
    uint32_t bursts = 0;
    uint64_t at = 0;
    uint64_t cpu = 0;
    uint64_t gaps = 0;
    uint64_t short_gaps = 0;
};

class ZeroTimeoutSpin : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.kernel_state)
            return {Status::kDegraded, "only a row of empty waits is told, and CPU time is not known: " + sight.why};
        return Rule::coverage(sight);
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        judge_log_runs(
            kInfo, books, settings, [](const LogRun&) { return kSteadyFix; }, out);
        for (const auto& [tid, t] : books.threads) {
            const epoll_row* epoll = books.epoll(t.epoll);
            if (!t.zeros || !epoll)
                continue;
            Zeros now = sample(t, *epoll);
            auto span = windows_.note({t.tgid, tid, t.epoll}, now, books.time, settings.ns(kWindowS));
            if (span && now.zeros > span->then.zeros && now.returns > span->then.returns)
                judge(books, t, tid, *epoll, span->then, now, span->seconds, settings, out);
        }
        windows_.forget_others();
    }

private:
    using Key = std::tuple<uint32_t, uint32_t, uint64_t>;

    static Zeros sample(const thread_row& t, const epoll_row& epoll)
    {
        Zeros z{t.zeros, t.returns, t.zero_bursts, t.zero_at, t.zero_cpu, 0, 0};
        for (unsigned bucket = 0; bucket < EPOLL_BUCKETS; bucket++) {
            z.gaps += epoll.handling[bucket];
            z.short_gaps += bucket < kShortGap ? epoll.handling[bucket] : 0;
        }
        return z;
    }

    // It is no busy poller: it waited, often and long, and then never again.
    static bool lost_its_timeout(const thread_row& t, uint64_t now, const Settings& settings)
    {
        return t.zero_since && t.zero_since + settings.ns(kForGoodS) <= now && t.timed_waits >= settings[kWaited] &&
               t.timed_ns >= settings.ns(kWaitedS);
    }

    static void judge(const Snapshot& books, const thread_row& t, uint32_t tid, const epoll_row& epoll,
                      const Zeros& then, const Zeros& now, double seconds, const Settings& settings,
                      std::vector<Finding>& out)
    {
        double zeros = now.zeros - then.zeros;
        double per_s = zeros / seconds;
        double share = zeros / static_cast<double>(now.returns - then.returns);
        double cpu = now.at > then.at && now.cpu > then.cpu
                         ? static_cast<double>(now.cpu - then.cpu) / static_cast<double>(now.at - then.at)
                         : 0;
        double bursts = (now.bursts - then.bursts) / seconds;
        bool steady = per_s >= settings[kEmptyPerS] && share >= settings[kShare] && cpu >= settings[kCpu] &&
                      static_cast<double>(now.short_gaps - then.short_gaps) >=
                          settings[kIdleShare] * static_cast<double>(now.gaps - then.gaps);
        if (!steady && bursts < settings[kBurstsPerS])
            return;
        bool lost = steady && lost_its_timeout(t, books.time, settings);
        Finding finding = begin_epoll_finding(kInfo, books, t.epoll, t.tgid);
        finding.level = lost || (steady && settings[kNoBusyPoll] > 0) ? Level::kLikely : Level::kInfo;
        finding.summary =
            lost     ? "the loop used to wait, and now polls with timeout 0 for good, though nothing comes"
            : steady ? "the loop polls with timeout 0 and nearly always finds nothing"
                     : "the loop polls with timeout 0 again and again before it waits: a timeout is rounded down";
        finding.shape = steady ? "epoll_wait(0) = 0 in a tight loop"
                               : "bursts of epoll_wait(0) = 0 before a timer is due";
        finding.count = now.zeros;
        finding.cost.emplace_back("empty_waits_per_s", per_s);
        if (cpu > 0)
            finding.cost.emplace_back("cpu_share", std::min(cpu, 1.0));
        add_fact(finding, "thread", fmt::format("tid {}, {:.1f} % of its waits find nothing", tid, share * 100));
        add_fact(finding, "events", fmt::format("{} in {} returns since the start", epoll.events, epoll.returns));
        if (lost)
            add_fact(finding, "before",
                     fmt::format("{} waits with a timeout, {} in all; none for {}", t.timed_waits,
                                 duration_text(t.timed_ns), duration_text(books.time - t.zero_since)));
        finding.fix =
            lost ? "something that is due stays due (a timer in the past, a task or signal queued and never run), so "
                   "the "
                   "time to wait is 0 at each turn: find what asks for it; epoll_wait() itself is not at fault"
            : steady ? kSteadyFix
                     : "round the time to the next timer up to whole milliseconds, or use epoll_pwait2() or a timerfd";
        out.push_back(std::move(finding));
    }

    Windows<Key, Zeros> windows_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<ZeroTimeoutSpin>(); }

}  // namespace epaudit::zero_timeout_spin
