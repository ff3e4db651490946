// SPDX-License-Identifier: Apache-2.0
#include "src/session/pace.h"

#include <algorithm>

#include "bpf/ledger_sweep.h"

namespace epaudit {
namespace {

constexpr uint64_t kCalmNs = NSEC_PER_SEC;

// Two costs in a row, because what one costs once (reading the symbols of a binary) says nothing of the next. Tests watch
// little and want to know soon: there it may be a fifth of a core, and no later than rules need that compare two looks two
// seconds apart. At most two minutes: with 100,000 descriptors, where a look takes a third of a second, that is half a percent of a
// core as long as all is calm (at most 20 s: 1.7 %), and 3 % with a million.
struct Thrift {
    uint64_t calm_factor;
    uint64_t factor;
    uint64_t longest_ns;
};
constexpr Thrift kThrift{200, 60, 120 * kCalmNs};
constexpr Thrift kThriftInTests{5, 5, kCalmNs};

}  // namespace

void Pace::looked(uint64_t now, bool lively, uint64_t cpu_ns)
{
    looked_ = now;
    lively_ = lively;
    costs_.add(cpu_ns);
}

bool Pace::due(uint64_t now, bool suspicious, Profile profile) const
{
    const bool calm = !lively_ && !suspicious;
    const Thrift& thrift = profile == Profile::kTest ? kThriftInTests : kThrift;
    const uint64_t affordable = costs_.lately() * (calm ? thrift.calm_factor : thrift.factor);
    const uint64_t patience = std::min(std::max(calm ? kCalmNs : kTickNs, affordable), thrift.longest_ns);
    return now + kTickNs / 2 >= looked_ + patience;
}

bool is_lively(const Snapshot& books)
{
    return std::any_of(books.entries.begin(), books.entries.end(),
                       [](const Entry& entry) { return !ledger_habit_matters(&entry.registration, &entry.file); });
}

}  // namespace epaudit
