// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/evidence.h"

namespace epaudit::concurrent_handlers {
namespace {

constexpr Threshold kOverlaps{
    "overlaps",
    {2, 2, Unit::kCount},
    "pairs of reads, both inside the call at the same time and both with bytes, to be confirmed",
    {"a single meeting confirms it", "rare races are not confirmed"}};
constexpr Threshold kMisses{"misses",
                            {10, 10, Unit::kCount},
                            "such pairs of which one found nothing, to be likely",
                            {"chance meetings are told", "rare races are missed"}};

const RuleInfo kInfo{"EP501",
                     "concurrent-handlers",
                     "two threads read one stream at once",
                     Level::kConfirmed,
                     {kOverlaps, kMisses},
                     {Seam::kWakeups},
                     "reads that overlap without either of them having to wait for the other",
                     {StackRole::kRead, StackRole::kArmed, StackRole::kWait}};

class ConcurrentHandlers : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (sight.kernel_state)
            return Rule::coverage(sight);
        if (!sight.unseen.empty())
            return {Status::kUnavailable, sight.unseen};
        if (!sight.all_threads)
            return {Status::kUnavailable, "the log does not follow threads (strace -f -o FILE)"};
        return {Status::kDegraded,
                "two reads are seen to overlap only where the log interrupts a line, and its threads are born in "
                "it or descriptors are printed with their sockets (-yy)"};
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitClashes))
            judge(books, file.front(), settings, out);
        for (const Entry& entry : books.buried)
            judge(books, entry, settings, out);
    }

private:
    static void judge(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const fault_row& x = entry.fault;
        bool confirmed = x.clashes >= settings[kOverlaps];
        // Level-triggered input is reported to every thread that asks until it is read: that is EP402's matter.
        bool missed = (entry.registration.mask & EV_ET) && x.clash_misses >= settings[kMisses];
        if (!confirmed && !missed)
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = confirmed ? Level::kConfirmed : Level::kLikely;
        finding.summary =
            confirmed ? "two threads read this stream at the same time: each gets a part of the messages, in no order"
                      : "two threads are told of the same input and read this stream at the same time";
        finding.shape = "reads overlap in time";
        finding.count = confirmed ? x.clashes : x.clash_misses;
        finding.cost.emplace_back("torn_reads", x.clashes);
        finding.cost.emplace_back("useless_reads", x.clash_misses);
        add_fact(finding, "overlaps",
                 fmt::format("{} in which both got bytes, {} in which one found nothing", x.clashes, x.clash_misses));
        finding.fix =
            "register the fd with EPOLLONESHOT and re-arm it when its handler is done, so that one thread has it at "
            "a time; a lock per connection around read() does not keep messages together";
        out.push_back(std::move(finding));
    }
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<ConcurrentHandlers>(); }

}  // namespace epaudit::concurrent_handlers
