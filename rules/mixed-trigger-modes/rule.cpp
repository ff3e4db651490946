// SPDX-License-Identifier: Apache-2.0
// Many loops keep edge- and level-triggered fds in one epoll, on purpose. What nobody means is one registration that
// is now this and now that: its handler is right for one of them only.
#include <fmt/format.h>

#include <map>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::mixed_trigger_modes {
namespace {

constexpr Threshold kFlips{"flips",
                           {2, 2, Unit::kCount},
                           "MODs of one registration that switch between edge- and level-triggered",
                           {"one switch on purpose is remarked on", "rare switches go unmentioned"}};
constexpr Threshold kDroppedFds{"dropped_fds",
                                {3, 3, Unit::kCount},
                                "fds of one kind that were added with EPOLLET and lost it by a MOD",
                                {"one fd changed on purpose is remarked on", "small servers go unmentioned"}};

const RuleInfo kInfo{"EP602",
                     "mixed-trigger-modes",
                     "one registration flips between ET and LT",
                     Level::kInfo,
                     {kFlips, kDroppedFds},
                     {},
                     "flips made by DEL and ADD, or by way of an empty mask",
                     {StackRole::kArmed}};

bool lost_edge(const Entry& entry)
{
    const registration_row& r = entry.registration;
    return r.flips && (r.flags & REGISTRATION_ADDED_EDGE) && !(r.mask & EV_ET) && (r.mask & ~EV_PRIVATE);
}

class MixedTriggerModes : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        std::map<std::pair<uint64_t, uint8_t>, std::vector<const Entry*>> dropped;
        for (const Entry* one : books.neighbours().with(kTraitFlips)) {
            const Entry& entry = *one;
            if (!entry.key.epoll || !entry.registration.flips)
                continue;
            if (entry.registration.flips >= settings[kFlips])
                tell(books, entry, "the registration is switched back and forth between edge- and level-triggered",
                     "EPOLLET on and off by EPOLL_CTL_MOD", entry.registration.flips, out);
            else if (lost_edge(entry))
                dropped[{entry.key.epoll, entry.file.kind}].push_back(&entry);
        }
        for (const auto& [group, entries] : dropped) {
            if (static_cast<double>(entries.size()) >= settings[kDroppedFds])
                tell(books, *entries.front(), "fds added with EPOLLET lose it when they are re-armed",
                     "EPOLLET in the ADD, not in the MOD", entries.size(), out);
        }
    }

    Coverage coverage(const Sight&) const override { return {}; }

private:
    static void tell(const Snapshot& books, const Entry& entry, const char* summary, const char* shape, uint64_t count,
                     std::vector<Finding>& out)
    {
        const registration_row& r = entry.registration;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = Level::kInfo;
        finding.summary = summary;
        finding.shape = shape;
        finding.count = count;
        finding.trigger = "mixed";
        double seconds = seconds_of(books.time - r.added_at);
        finding.cost.emplace_back("flips_per_s", seconds > 0 ? r.flips / seconds : 0);
        add_fact(finding, "mode now", trigger_text(r.mask));
        add_fact(finding, "changes", fmt::format("{} MODs, {} of them changed the mode", r.mods, r.flips));
        finding.fix =
            "give every EPOLL_CTL_MOD the same EPOLLET as the EPOLL_CTL_ADD; a handler that does not read to EAGAIN "
            "loses events while the fd is edge-triggered";
        out.push_back(std::move(finding));
    }
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<MixedTriggerModes>(); }

}  // namespace epaudit::mixed_trigger_modes
