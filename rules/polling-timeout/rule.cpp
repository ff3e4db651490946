// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/window.h"

namespace epaudit::polling_timeout {
namespace {

constexpr Threshold kWindowS{"window_s",
                             {10, 2, Unit::kSeconds},
                             "seconds over which returns are compared",
                             {"a short phase decides", "short episodes are averaged away"},
                             kPatience};
constexpr Threshold kPerS{"per_s",
                          {20, 20, Unit::kPerSecond},
                          "waits per second that time out within 50 ms",
                          {"a slow clock is remarked on", "slow polling goes unmentioned"}};
constexpr Threshold kShare{
    "share",
    {0.9, 0.9, Unit::kShare},
    "share of all returns that they are",
    {"loops that mostly get events are remarked on", "polling beside a little work goes unmentioned"}};
constexpr Threshold kSame{"same",
                          {0.9, 0.9, Unit::kShare},
                          "share of them with the same timeout as the one before: a clock's timeouts vary",
                          {"clocks are remarked on", "polling whose timeout varies a little goes unmentioned"}};

const RuleInfo kInfo{"EP605",
                     "polling-timeout",
                     "short timeouts that nearly always return nothing stand in for a wake-up",
                     Level::kInfo,
                     {kWindowS, kPerS, kShare, kSame},
                     {},
                     "clocks with a fixed period (a frame, a tick) look the same; what the loop polls for is not known",
                     {StackRole::kWait}};

struct Sample {
    uint64_t returns = 0;
    uint64_t timeouts = 0;
    uint32_t short_timeouts = 0;
    uint32_t ticks = 0;
    std::map<uint32_t, uint64_t> cpu;  // by thread
};

class PollingTimeout : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const auto& [id, e] : books.epolls) {
            Sample now = sample(books, id, e);
            auto span = windows_.note({id, e.created_at}, now, books.time, settings.ns(kWindowS));
            if (span && waited_on(books, id))
                judge(books, id, e, span->then, now, span->seconds, settings, out);
        }
        windows_.forget_others();
    }

private:
    static Sample sample(const Snapshot& books, uint64_t id, const epoll_row& e)
    {
        Sample now{e.returns, e.timeouts, e.short_timeouts, e.ticks, {}};
        for (const auto& [tid, t] : books.threads) {
            if (t.epoll == id && t.base_cpu)
                now.cpu[tid] = t.base_cpu;  // when it was last woken
        }
        return now;
    }

    // When its threads are gone, what they cost is no longer known.
    static bool waited_on(const Snapshot& books, uint64_t id)
    {
        return std::any_of(books.threads.begin(), books.threads.end(),
                           [id](const auto& t) { return t.second.epoll == id; });
    }

    static double cpu_between(const Sample& then, const Sample& now)
    {
        uint64_t spent = 0;
        for (const auto& [tid, cpu] : now.cpu) {
            auto before = then.cpu.find(tid);
            if (before != then.cpu.end() && cpu > before->second)
                spent += cpu - before->second;
        }
        return static_cast<double>(spent);
    }

    static void judge(const Snapshot& books, uint64_t id, const epoll_row& e, const Sample& then, const Sample& now,
                      double seconds, const Settings& settings, std::vector<Finding>& out)
    {
        double polls = now.short_timeouts - then.short_timeouts;
        double all = static_cast<double>(now.returns - then.returns + now.timeouts - then.timeouts);
        if (polls < settings[kPerS] * seconds || polls < settings[kShare] * all ||
            now.ticks - then.ticks < settings[kSame] * polls)
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, e.tgid);
        finding.level = Level::kInfo;
        finding.summary = "the loop looks for something every few milliseconds instead of being woken for it";
        finding.shape = fmt::format("epoll_wait(timeout {} ms) = 0, again and again", e.tick_ms);
        finding.count = e.short_timeouts;
        finding.cost.emplace_back("wakeups_per_s", polls / seconds);
        if (!now.cpu.empty())
            finding.cost.emplace_back("cpu_share", cpu_between(then, now) / (seconds * NSEC_PER_SEC));
        add_fact(finding, "in vain", fmt::format("{:.0f} of {:.0f} returns in {:.1f} s", polls, all, seconds));
        finding.timeline.push_back(
            moment(books, e.polled_at, 0,
                   fmt::format("epoll_wait({} ms) timed out, {} times so far", e.tick_ms, e.short_timeouts)));
        finding.fix =
            "let whoever has work for the loop wake it: an eventfd in the epoll for other threads, a timerfd (or the "
            "time to the next deadline as timeout) for clocks; then wait without a timeout";
        out.push_back(std::move(finding));
    }

    Windows<std::pair<uint64_t, uint64_t>, Sample> windows_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<PollingTimeout>(); }

}  // namespace epaudit::polling_timeout
