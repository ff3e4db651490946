// SPDX-License-Identifier: Apache-2.0
#include "rules/growth.h"

#include <algorithm>

namespace epaudit {

void Growth::note(const std::map<uint32_t, Members>& groups, uint64_t time, uint64_t window)
{
    for (const auto& [group, members] : groups)
        note(samples_[group], members, time, window);
    std::erase_if(samples_, [&](const auto& known) { return !groups.count(known.first); });
}

void Growth::note(std::deque<Sample>& samples, const Members& members, uint64_t time, uint64_t window) const
{
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

bool Told::worth_saying(const Member& member, Level level, bool example, bool hangs)
{
    auto [at, fresh] = told_.try_emplace(member, Said{level, hangs});
    bool changed = at->second.level != level || at->second.hangs != hangs;
    at->second = {level, hangs};
    return fresh || changed || example;
}

void Told::settle()
{
    std::erase_if(told_, [](const auto& said) { return !said.second.asked; });
    for (auto& [member, said] : told_)
        said.asked = false;
}

}  // namespace epaudit
