// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/window.h"

namespace epaudit {
namespace {

constexpr Threshold kWindowS{"window_s",
                             {5, 2, Unit::kSeconds},
                             "seconds over which deliveries are compared",
                             {"a short burst decides", "short episodes are averaged away"},
                             kPatience};
constexpr Threshold kShare{"share",
                           {0.5, 0.3, Unit::kShare},
                           "duplicates to deliveries in the window, over the fds of an epoll",
                           {"pools with a duplicate now and then are accused", "costly ones are missed"}};
constexpr Threshold kDuplicates{"duplicates",
                                {100, 20, Unit::kCount},
                                "duplicates in the window, of which a thread found nothing",
                                {"a few duplicates count", "slow servers are missed"}};
constexpr Threshold kPerS{"per_s",
                          {10, 10, Unit::kPerSecond},
                          "such duplicates per second",
                          {"rare duplicates are accused", "slow servers are missed"}};
constexpr Threshold kConfirmPerS{"confirm_per_s",
                                 {1000, 1000, Unit::kPerSecond},
                                 "the same, to be confirmed",
                                 {"cheap ones are confirmed", "costly ones stay likely"}};

const RuleInfo kInfo{
    "EP402",
    "duplicate-delivery",
    "one level-triggered event handed to several threads of one epoll",
    Level::kConfirmed,
    {kWindowS, kShare, kDuplicates, kPerS, kConfirmPerS},
    {Seam::kState},
    "fds whose input grew between the two deliveries; listeners (EP401) and wake-up descriptors are left out",
    {StackRole::kArmed, StackRole::kWait}};

struct Counts {
    uint32_t duplicates = 0;
    uint32_t wasted = 0;
    uint32_t deliveries = 0;
};

// All fds of one epoll that saw duplicates, since connections come and go.
struct Group {
    const Entry* example = nullptr;
    double duplicates = 0;
    double wasted = 0;
    double deliveries = 0;
    double seconds = 0;
    unsigned fds = 0;
};

class DuplicateDelivery : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        std::map<uint64_t, Group> groups;
        for (const Entry& entry : books.entries) {
            const file_row& f = entry.file;
            const registration_row& r = entry.registration;
            if (!entry.key.epoll || entry.key.epoll != f.home || !f.duplicates || (r.mask & (EV_ET | EV_ONESHOT)))
                continue;
            auto span = windows_.note({entry.file_id, f.ino},
                                      {f.duplicates, entry.fault.duplicates_wasted, r.deliveries}, books.time,
                                      settings.ns(kWindowS));
            if (!span || f.duplicates == span->then.duplicates)
                continue;
            Group& group = groups[entry.key.epoll];
            double duplicates = f.duplicates - span->then.duplicates;
            if (!group.example || f.duplicates > group.example->file.duplicates)
                group.example = &entry;
            group.duplicates += duplicates;
            group.wasted += entry.fault.duplicates_wasted - span->then.wasted;
            group.deliveries += r.deliveries - span->then.deliveries;
            group.seconds = span->seconds;
            group.fds += 1;
        }
        for (const auto& [epoll, group] : groups)
            judge(books, group, settings, out);
        windows_.forget_others();
    }

private:
    static unsigned threads_of(const Snapshot& books, uint64_t epoll)
    {
        unsigned count = 0;
        for (const auto& [tid, t] : books.threads)
            count += t.epoll == epoll;
        return count;
    }

    static void judge(const Snapshot& books, const Group& group, const Settings& settings, std::vector<Finding>& out)
    {
        // One thread of each pair is right to come: only those that found nothing count.
        double useless = std::min(group.duplicates, group.wasted);
        double per_s = useless / group.seconds;
        if (useless < settings[kDuplicates] || per_s < settings[kPerS] || useless < settings[kShare] * group.deliveries)
            return;
        Finding finding = begin_finding(kInfo, books, *group.example);
        finding.subject_file = 0;  // it is about the epoll that the threads share
        finding.level = per_s >= settings[kConfirmPerS] ? Level::kConfirmed : Level::kLikely;
        finding.summary = "several threads wait on one epoll and are told of the same input: all but one find nothing";
        finding.shape = "level-triggered without EPOLLONESHOT, shared by threads";
        finding.count = group.example->file.duplicates;
        finding.cost.emplace_back("duplicates_per_s", per_s);
        finding.cost.emplace_back("useless_share", useless / group.deliveries);
        add_fact(finding, "deliveries",
                 fmt::format("{:.0f} in {:.1f} s on {} fd{}, {:.0f} of them to a second thread "
                             "before the first had touched the fd",
                             group.deliveries, group.seconds, group.fds, group.fds == 1 ? "" : "s", group.duplicates));
        add_fact(finding, "threads", fmt::format("{} on this epoll", threads_of(books, group.example->key.epoll)));
        finding.fix =
            "add EPOLLONESHOT and re-arm with EPOLL_CTL_MOD when the fd has been handled (it also keeps two threads "
            "off one connection), or give each thread an epoll of its own";
        out.push_back(std::move(finding));
    }

    Windows<std::pair<uint64_t, uint64_t>, Counts> windows_;
};

}  // namespace

std::unique_ptr<Rule> make_duplicate_delivery() { return std::make_unique<DuplicateDelivery>(); }

}  // namespace epaudit
