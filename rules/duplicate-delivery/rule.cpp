// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>
#include <utility>

#include "bpf/ledger_limits.h"
#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/window.h"

namespace epaudit::duplicate_delivery {
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
    uint64_t duplicates = 0;
    uint64_t wasted = 0;
    uint64_t deliveries = 0;

    void add(const Counts& more)
    {
        duplicates += more.duplicates;
        wasted += more.wasted;
        deliveries += more.deliveries;
    }
};

// All fds of one epoll that saw duplicates, since connections come and go: few live for as long as a window.
struct Group {
    const Entry* example = nullptr;
    Counts counts;
    unsigned fds = 0;
};

bool counts(const Entry& entry)
{
    const file_row& f = entry.file;
    return entry.key.epoll && entry.key.epoll == f.home && f.duplicates &&
           !(entry.registration.mask & (EV_ET | EV_ONESHOT));
}

// Counters that only grow: of each epoll, over those that are there and those that were.
class Totals {
public:
    std::map<uint64_t, Group> look(const Snapshot& books)
    {
        std::map<uint64_t, Group> groups;
        for (const Entry& entry : books.buried) {
            if (!counts(entry) || entry.file.duplicates < LEDGER_FEW)
                continue;
            const Known last = known(entry);
            gone_[last.epoll].add(last.counts);
            living_.erase(file(entry));
            show(groups[last.epoll], entry);
        }
        std::map<File, Known> now;
        for (const Entry* one : books.neighbours().with(kTraitDuplicates)) {
            const Entry& entry = *one;
            if (!counts(entry))
                continue;
            const Known fresh = known(entry);
            const auto old = living_.find(file(entry));
            // Registered anew: what was delivered before does not count again, and is not forgotten.
            if (old != living_.end() && old->second.counts.deliveries > fresh.counts.deliveries)
                gone_[fresh.epoll].deliveries += old->second.counts.deliveries;
            now[file(entry)] = fresh;
            groups[fresh.epoll].counts.add(fresh.counts);
            show(groups[fresh.epoll], entry);
        }
        for (const auto& [file, last] : living_)
            if (!now.count(file))
                gone_[last.epoll].add(last.counts);
        living_ = std::move(now);
        std::erase_if(gone_, [&](const auto& one) { return !books.epolls.count(one.first); });
        for (const auto& [epoll, counts] : gone_)
            groups[epoll].counts.add(counts);
        return groups;
    }

private:
    using File = std::pair<uint64_t, uint64_t>;
    struct Known {
        uint64_t epoll = 0;
        Counts counts;
    };

    static File file(const Entry& entry) { return {entry.file_id, entry.file.ino}; }
    static Known known(const Entry& entry)
    {
        return {entry.key.epoll, {entry.file.duplicates, entry.fault.duplicates_wasted, entry.registration.deliveries}};
    }
    static void show(Group& group, const Entry& entry)
    {
        group.fds++;
        if (!group.example || entry.file.duplicates > group.example->file.duplicates)
            group.example = &entry;
    }

    std::map<File, Known> living_;
    std::map<uint64_t, Counts> gone_;
};

class DuplicateDelivery : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const auto& [epoll, group] : totals_.look(books)) {
            auto span = windows_.note(epoll, group.counts, books.time, settings.ns(kWindowS));
            if (span && group.example && group.counts.duplicates > span->then.duplicates)
                judge(books, group, *span, settings, out);
        }
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

    using Span = Windows<uint64_t, Counts>::Span;

    static void judge(const Snapshot& books, const Group& group, const Span& span, const Settings& settings,
                      std::vector<Finding>& out)
    {
        auto since = [](uint64_t now, uint64_t then) { return now > then ? static_cast<double>(now - then) : 0; };
        const double duplicates = since(group.counts.duplicates, span.then.duplicates);
        const double deliveries = since(group.counts.deliveries, span.then.deliveries);
        // One thread of each pair is right to come: only those that found nothing count.
        const double useless = std::min(duplicates, since(group.counts.wasted, span.then.wasted));
        const double per_s = useless / span.seconds;
        if (useless < settings[kDuplicates] || per_s < settings[kPerS] || useless < settings[kShare] * deliveries)
            return;
        Finding finding = begin_finding(kInfo, books, *group.example);
        finding.subject_file = 0;  // it is about the epoll that the threads share
        finding.level = per_s >= settings[kConfirmPerS] ? Level::kConfirmed : Level::kLikely;
        finding.summary = "several threads wait on one epoll and are told of the same input: all but one find nothing";
        finding.shape = "level-triggered without EPOLLONESHOT, shared by threads";
        finding.count = group.example->file.duplicates;
        finding.cost.emplace_back("duplicates_per_s", per_s);
        finding.cost.emplace_back("useless_share", useless / deliveries);
        add_fact(finding, "deliveries",
                 fmt::format("{:.0f} in {:.1f} s on {} fd{}, {:.0f} of them to a second thread "
                             "before the first had touched the fd",
                             deliveries, span.seconds, group.fds, group.fds == 1 ? "" : "s", duplicates));
        add_fact(finding, "threads", fmt::format("{} on this epoll", threads_of(books, group.example->key.epoll)));
        finding.fix =
            "add EPOLLONESHOT and re-arm with EPOLL_CTL_MOD when the fd has been handled (it also keeps two threads "
            "off one connection), or give each thread an epoll of its own";
        out.push_back(std::move(finding));
    }

    Totals totals_;
    Windows<uint64_t, Counts> windows_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<DuplicateDelivery>(); }

}  // namespace epaudit::duplicate_delivery
