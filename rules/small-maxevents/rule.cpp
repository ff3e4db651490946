// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "bpf/ledger_limits.h"
#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/window.h"

namespace epaudit::small_maxevents {
namespace {

constexpr Threshold kWindowS{"window_s",
                             {5, 2, Unit::kSeconds},
                             "seconds it must last",
                             {"a short burst decides", "short crowds are averaged away"},
                             kPatience};
constexpr Threshold kMaxevents{
    "maxevents",
    {8, 8, Unit::kCount},
    "largest maxevents that counts as small",
    {"batches that are small for the load go unmentioned", "batches that are large enough are remarked on"}};
constexpr Threshold kFullShare{"full_share",
                               {0.9, 0.9, Unit::kShare},
                               "share of returns that fill the batch",
                               {"batches that are seldom full are remarked on", "a few part-filled ones hide it"}};
constexpr Threshold kCrowdedShare{"crowded_share",
                                  {0.9, 0.9, Unit::kShare},
                                  "share of looks at the ready list that found four batches and more",
                                  {"passing crowds are remarked on", "a few looks at a short list hide it"}};
constexpr Threshold kReturnsPerS{"returns_per_s",
                                 {1000, 100, Unit::kPerSecond},
                                 "returns of epoll_wait per second",
                                 {"loops for which it hardly matters are remarked on", "slow servers go unmentioned"}};

const RuleInfo kInfo{"EP405",
                     "small-maxevents",
                     "every batch is full: maxevents is too small",
                     Level::kInfo,
                     {kWindowS, kMaxevents, kFullShare, kCrowdedShare, kReturnsPerS},
                     {Seam::kState},
                     "files kept waiting by priorities above epoll; the kernel itself takes turns, so nobody starves",
                     {StackRole::kWait}};

struct Batches {
    uint64_t returns = 0;
    uint64_t events = 0;
    uint64_t full = 0;
    uint32_t looks = 0;
    uint32_t crowded = 0;
};

class SmallMaxevents : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const auto& [id, epoll] : books.epolls) {
            if (!epoll.ready_looks)
                continue;
            Batches now{epoll.returns, epoll.events, epoll.full_batches, epoll.ready_looks, epoll.ready_crowded};
            auto span = windows_.note({id, epoll.created_at}, now, books.time, settings.ns(kWindowS));
            if (span)
                judge(books, id, epoll, span->then, now, span->seconds, settings, out);
        }
        windows_.forget_others();
    }

private:
    static void judge(const Snapshot& books, uint64_t id, const epoll_row& epoll, const Batches& then,
                      const Batches& now, double seconds, const Settings& settings, std::vector<Finding>& out)
    {
        double returns = static_cast<double>(now.returns - then.returns);
        double full = static_cast<double>(now.full - then.full);
        double looks = now.looks - then.looks;
        double crowded = now.crowded - then.crowded;
        if (epoll.max_asked > settings[kMaxevents] || returns < settings[kReturnsPerS] * seconds ||
            full < settings[kFullShare] * returns || looks < 1 || crowded < settings[kCrowdedShare] * looks)
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, epoll.tgid);
        finding.level = Level::kInfo;
        finding.summary = fmt::format("epoll_wait takes {} event{} at a time while many more are ready",
                                      epoll.max_asked, epoll.max_asked == 1 ? "" : "s");
        finding.shape = "every batch is full";
        finding.count = static_cast<uint64_t>(full);
        finding.cost.emplace_back("epoll_waits_per_s", returns / seconds);
        finding.cost.emplace_back("events_per_wait", static_cast<double>(now.events - then.events) / returns);
        add_fact(finding, "full batches", fmt::format("{:.0f} of {:.0f} returns in {:.1f} s", full, returns, seconds));
        add_fact(
            finding, "ready list",
            fmt::format("at least {} fds in {:.0f} of {:.0f} looks", epoll.max_asked * LEDGER_CROWD, crowded, looks));
        finding.fix = "give epoll_wait an array of 64 to 512 events: fewer system calls for the same work";
        out.push_back(std::move(finding));
    }

    Windows<std::pair<uint64_t, uint64_t>, Batches> windows_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<SmallMaxevents>(); }

}  // namespace epaudit::small_maxevents
