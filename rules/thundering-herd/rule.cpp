// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/log_runs.h"
#include "rules/window.h"
#include "src/books/describe.h"

namespace epaudit::thundering_herd {
namespace {

// A thread that returned this recently still counts as one of the crowd.
constexpr uint64_t kCrowdNs = 5 * NSEC_PER_SEC;

constexpr Threshold kWindowS{"window_s",
                             {5, 2, Unit::kSeconds},
                             "seconds over which wake-ups are compared",
                             {"a short burst decides", "short herds are averaged away"},
                             kPatience};
constexpr Threshold kWaste{
    "waste",
    {0.5, 0.5, Unit::kShare},
    "share of wake-ups that found nothing to do",
    {"pools that are woken for good reason are remarked on", "herds that do some work are missed"}};
constexpr Threshold kWaiters{"waiters",
                             {5, 5, Unit::kCount},
                             "threads that wait on epolls with this file, to be likely or more",
                             {"small pools are called a herd", "herds of a few threads stay a remark"}};
constexpr Threshold kHerdWaste{
    "herd_waste",
    {0.8, 0.8, Unit::kShare},
    "share of wake-ups that found nothing to do, to be likely or more",
    {"pools that mostly find work are called a herd", "herds that do some work stay a remark"}};
constexpr Threshold kWasted{"wasted",
                            {100, 100, Unit::kCount},
                            "wasted wake-ups in the window, to be likely or more",
                            {"a few wake-ups are called a herd", "slow servers stay a remark"}};
constexpr Threshold kConfirmCpu{"confirm_cpu",
                                {0.05, 0, Unit::kShare},
                                "share of a core that they cost, to be confirmed",
                                {"herds that cost next to nothing are confirmed", "dear ones stay likely"}};
constexpr Threshold kLikelyCpu{"likely_cpu",
                               {0.02, 0, Unit::kShare},
                               "share of a core that they cost, to be likely",
                               {"herds that cost next to nothing are likely", "dear ones stay a remark"}};
constexpr Threshold kOwnShare{
    "own_share",
    {0.25, 0, Unit::kShare},
    "share of the CPU time of the waiters' processes that they cost, to be likely or more",
    {"herds are told though real work dwarfs them", "dear herds beside real work stay a remark"}};
constexpr Threshold kRiskPerS{"risk_per_s",
                              {10, 10, Unit::kPerSecond},
                              "wasted wake-ups per second from which it is worth a remark",
                              {"a wasted wake-up now and then is remarked on", "slow herds go unmentioned"}};

const RuleInfo kInfo{
    "EP401",
    "thundering-herd",
    "one connection wakes many waiters; no EPOLLEXCLUSIVE, no SO_REUSEPORT",
    Level::kConfirmed,
    {kWindowS, kWaste, kWaiters, kHerdWaste, kWasted, kConfirmCpu, kLikelyCpu, kOwnShare, kRiskPerS},
    {Seam::kWakeups},
    "wake-ups by timeout or signal in the same moment; a shared listener used with poll() or accept() alone",
    {StackRole::kArmed, StackRole::kWait}};

constexpr const char* kListenerFix =
    "EPOLL_CTL_ADD the listener with EPOLLEXCLUSIVE in each worker (it cannot be changed by MOD), or give each worker "
    "its own listener with SO_REUSEPORT";

struct Sample {
    uint32_t wakes = 0;
    uint32_t wasted = 0;
    uint64_t cpu = 0;
    std::map<uint32_t, uint64_t> process_cpu;  // of the waiters' processes
};

struct Herd {
    double seconds = 0;
    double wakes = 0;
    double wasted = 0;
    double cpu_share = 0;   // of one core
    double own_share = -1;  // of the CPU time of the waiters' processes; -1: not known
    unsigned waiters = 0;
    size_t epolls = 0;
};

class ThunderingHerd : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.calls)
            return {Status::kUnavailable, sight.unseen};
        if (!sight.kernel_state)
            return {Status::kDegraded,
                    "only accept() = EAGAIN after most wake-ups is told, and is a risk at most: " + sight.why};
        return Rule::coverage(sight);
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        judge_log_runs(
            kInfo, books, settings, [](const LogRun&) { return kListenerFix; }, out);
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitWakesWasted)) {
            const Entry& entry = file.front();
            if (!entry.file.wasted_wakes)
                continue;
            Sample now{entry.file.wakes, entry.file.wasted_wakes, entry.file.wasted_cpu,
                       process_cpu(books, crowd(books, epolls_of(file)))};
            auto span = windows_.note({entry.file_id, entry.file.ino}, now, books.time, settings.ns(kWindowS));
            if (span)
                judge(books, file, span->then, span->seconds, settings, out);
        }
        windows_.forget_others();
    }

private:
    static std::set<uint64_t> epolls_of(std::span<const Entry> file)
    {
        std::set<uint64_t> epolls;
        for (const Entry& e : file)
            epolls.insert(e.key.epoll);
        epolls.erase(0);
        return epolls;
    }

    static std::vector<const thread_row*> crowd(const Snapshot& books, const std::set<uint64_t>& epolls)
    {
        std::vector<const thread_row*> waiters;
        for (const auto& [tid, t] : books.threads) {
            bool near = t.waiting || std::max(t.return_at, t.wait_at) + kCrowdNs >= books.time;
            if (near && epolls.count(t.epoll))
                waiters.push_back(&t);
        }
        return waiters;
    }

    static std::map<uint32_t, uint64_t> process_cpu(const Snapshot& books,
                                                    const std::vector<const thread_row*>& waiters)
    {
        std::map<uint32_t, uint64_t> cpu;
        for (const thread_row* t : waiters) {
            auto process = books.processes.find(t->tgid);
            if (process != books.processes.end() && process->second.cpu_ns)
                cpu[t->tgid] = process->second.cpu_ns;
        }
        return cpu;
    }

    // By those that wait now, and by those that waited then and are gone: of these the last is remembered.
    static uint64_t spent_since(const Snapshot& books, const Sample& then,
                                const std::vector<const thread_row*>& waiters)
    {
        std::map<uint32_t, uint64_t> now = process_cpu(books, waiters);
        uint64_t spent = 0;
        for (const auto& [pid, before] : then.process_cpu) {
            auto process = books.processes.find(pid);
            if (process != books.processes.end() && process->second.cpu_ns > before)
                spent += process->second.cpu_ns - before;
            now.erase(pid);
        }
        for (const auto& [pid, cpu] : now)
            spent += cpu;
        return spent;
    }

    static Herd measure(const Snapshot& books, std::span<const Entry> file, const Sample& then, double seconds)
    {
        const file_row& f = file.front().file;
        std::set<uint64_t> epolls = epolls_of(file);
        std::vector<const thread_row*> waiters = crowd(books, epolls);
        Herd herd;
        herd.seconds = seconds;
        herd.wakes = f.wakes - then.wakes;
        // What was taken for wasted before the window may have been found to be of use in it.
        herd.wasted = std::max(static_cast<int32_t>(f.wasted_wakes - then.wasted), 0);
        herd.cpu_share = static_cast<double>(f.wasted_cpu - then.cpu) / (herd.seconds * NSEC_PER_SEC);
        herd.waiters = static_cast<unsigned>(waiters.size());
        herd.epolls = epolls.size();
        if (uint64_t own = spent_since(books, then, waiters))
            herd.own_share = static_cast<double>(f.wasted_cpu - then.cpu) / static_cast<double>(own);
        return herd;
    }

    static std::optional<Level> level_of(const Herd& herd, const Settings& settings)
    {
        // Of several threads that wait on one epoll the kernel wakes one (ep->wq: exclusive waiters).
        if (herd.epolls < 2 || herd.wakes <= 0 || herd.wasted < settings[kWaste] * herd.wakes)
            return std::nullopt;
        // Cost alone does not tell: what a futile wake-up costs depends on the machine and, a little, on being watched.
        // Of n sleepers n-1 find nothing, so a small herd stays small whatever it is measured with.
        bool large = herd.waiters >= settings[kWaiters] && herd.wasted >= settings[kHerdWaste] * herd.wakes;
        bool dear = herd.own_share < 0 || herd.own_share >= settings[kOwnShare];
        if (large && dear && herd.wasted >= settings[kWasted]) {
            if (herd.cpu_share >= settings[kConfirmCpu])
                return Level::kConfirmed;
            if (herd.cpu_share >= settings[kLikelyCpu])
                return Level::kLikely;
        }
        if (herd.wasted >= settings[kRiskPerS] * herd.seconds)
            return Level::kRisk;
        return std::nullopt;
    }

    static void judge(const Snapshot& books, std::span<const Entry> file, const Sample& then, double seconds,
                      const Settings& settings, std::vector<Finding>& out)
    {
        Herd herd = measure(books, file, then, seconds);
        std::optional<Level> level = level_of(herd, settings);
        if (!level)
            return;
        const Entry& entry = file.front();
        bool accepts = entry.file.kind == FILE_LISTENER;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.subject_epoll = 0;  // it is about the file that all of them share
        finding.level = *level;
        finding.summary = accepts ? "each new connection wakes several waiters, and all but one find nothing to accept"
                                  : "each wake-up reaches several waiters, and all but one find nothing to do";
        finding.shape = "one file in several epolls";
        finding.count = entry.file.wasted_wakes;
        finding.cost.emplace_back("wasted_wakes_per_s", herd.wasted / herd.seconds);
        finding.cost.emplace_back("cpu_share", herd.cpu_share);
        finding.fix =
            accepts ? kListenerFix
                    : "EPOLL_CTL_ADD the shared fd with EPOLLEXCLUSIVE, or give each waiter an eventfd of its own";
        add_fact(finding, "waiters", fmt::format("{} threads on {} epolls", herd.waiters, herd.epolls));
        add_fact(finding, "wasted",
                 fmt::format("{:.0f} of {:.0f} wake-ups in {:.1f} s", herd.wasted, herd.wakes, herd.seconds));
        if (herd.own_share >= 0)
            add_fact(finding, "of its own CPU time", fmt::format("{:.1f} %", herd.own_share * 100));
        out.push_back(std::move(finding));
    }

    Windows<std::pair<uint64_t, uint64_t>, Sample> windows_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<ThunderingHerd>(); }

}  // namespace epaudit::thundering_herd
