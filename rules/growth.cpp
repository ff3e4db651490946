// SPDX-License-Identifier: Apache-2.0
#include "rules/growth.h"

#include <algorithm>

namespace epaudit {

void Growth::note(uint32_t group, const Members& members, uint64_t time, uint64_t window)
{
    std::deque<Sample>& samples = samples_[group];
    if (!samples.empty() && time < samples.back().time + window)
        return;
    samples.push_back({time, members});
    if (samples.size() > windows_ + 1)
        samples.pop_front();
}

bool Growth::grew(uint32_t group) const
{
    auto at = samples_.find(group);
    if (at == samples_.end() || at->second.size() < windows_ + 1)
        return false;
    const std::deque<Sample>& samples = at->second;
    for (size_t i = 1; i < samples.size(); i++) {
        if (samples[i].members.size() <= samples[i - 1].members.size())
            return false;
    }
    // The first window may have begun with none: then it is the second one's that must stay.
    const Members& old = samples[0].members.empty() ? samples[1].members : samples[0].members;
    const Members& now = samples.back().members;
    auto kept = std::count_if(old.begin(), old.end(), [&](const Member& m) { return now.count(m) != 0; });
    return static_cast<double>(kept) >= kept_share_ * static_cast<double>(old.size());
}

bool Told::worth_saying(const Member& member, Level level, bool example)
{
    auto [at, fresh] = told_.try_emplace(member, level);
    bool changed = at->second != level;
    at->second = level;
    return fresh || changed || example;
}

}  // namespace epaudit
