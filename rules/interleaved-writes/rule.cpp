// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "src/books/describe.h"

namespace epaudit::interleaved_writes {
namespace {

constexpr Threshold kWrites{"writes",
                            {2, 2, Unit::kCount},
                            "writes of another thread into an unfinished message, on one fd",
                            {"one write between two parts is accused, which may be meant", "rare damage is missed"}};

const RuleInfo kInfo{"EP502",
                     "interleaved-writes",
                     "another thread writes into the middle of a partly sent message",
                     Level::kLikely,
                     {kWrites},
                     {},
                     "messages sent with writev() or sendmsg(), and blocking sockets whose send() sleeps in the middle",
                     {StackRole::kWrite, StackRole::kArmed}};

class InterleavedWrites : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.kernel_state)
            return {Status::kUnavailable,
                    "from which memory a write takes its bytes is not known, so whether they are "
                    "the rest of a message cannot be told: " +
                        sight.why};
        return Rule::coverage(sight);
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitMixed))
            judge(books, file.front(), settings, out);
        for (const Entry& entry : books.buried)
            judge(books, entry, settings, out);
    }

private:
    static void judge(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const fault_row& x = entry.fault;
        if (x.mixed < settings[kWrites])
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = Level::kLikely;
        finding.summary =
            "a message was cut short, and another thread's bytes follow where its rest should: the peer gets "
            "a broken stream";
        finding.shape = "short write, then a write of another thread from other memory";
        finding.count = x.mixed;
        finding.cost.emplace_back("interleaved_bytes", x.mixed_bytes);
        add_fact(finding, "cut short", fmt::format("a write of tid {}", x.mixed_victim));
        add_fact(
            finding, "in between",
            fmt::format("{} write{} of others, the last by tid {}", x.mixed, x.mixed == 1 ? "" : "s", x.mixed_tid));
        finding.fix =
            "give each connection one output queue and one lock that is held until the whole message is sent or "
            "queued; after a short write keep the rest in the queue, and let EPOLLOUT continue it";
        out.push_back(std::move(finding));
    }
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<InterleavedWrites>(); }

}  // namespace epaudit::interleaved_writes
