// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "src/audit/rule.h"
#include "src/support/say.h"

namespace epaudit {

Settings::Settings(const RuleInfo& info, Profile profile) : profile_(profile)
{
    for (const Threshold& t : info.thresholds)
        values_.push_back({t.name, profile == Profile::kTest ? t.defaults.test : t.defaults.production});
}

bool Settings::set(const std::string& name, double value, const std::string& origin)
{
    auto at = std::find_if(values_.begin(), values_.end(), [&](const Value& v) { return name == v.name; });
    if (at == values_.end())
        return false;
    at->value = value;
    origins_[name] = origin;
    return true;
}

std::string Settings::origin(const std::string& name) const
{
    auto at = origins_.find(name);
    return at == origins_.end() ? "default" : at->second;
}

// The same name may have several addresses: whether equal texts become one is up to the linker.
double Settings::by_text(const Threshold& threshold) const
{
    for (const Value& known : values_)
        if (std::string_view(known.name) == threshold.name)
            return known.value;
    // Missing in the rule's list, found by its first test.
    say("epaudit: internal error: rule asks for undeclared threshold '{}'\n", threshold.name);
    std::abort();
}

uint64_t Settings::ns(const Threshold& threshold) const
{
    double seconds = (*this)[threshold];
    // --set accepts any number; beyond 2^63 ns the conversion would be undefined.
    return static_cast<uint64_t>(std::clamp(seconds, 0.0, 9e9) * NSEC_PER_SEC);
}

namespace {

bool asks_for_time(const Threshold& threshold)
{
    return threshold.defaults.unit == Unit::kSeconds || threshold.defaults.unit == Unit::kPerSecond;
}

}  // namespace

double Rule::patience(const Settings& settings) const
{
    double longest = 0;
    for (const Threshold& threshold : info().thresholds)
        if (threshold.patience)
            longest = std::max(longest, settings[threshold]);
    return longest;
}

Coverage Rule::coverage(const Sight& sight) const
{
    Coverage result;
    if (!sight.unseen.empty())
        result = {Status::kDegraded, sight.unseen};
    bool needs_time = std::any_of(info().thresholds.begin(), info().thresholds.end(), asks_for_time);
    if (needs_time && sight.times == Sight::Times::kNone)
        return {Status::kUnavailable, "there are no time stamps: how long anything took is not known"};
    for (Seam seam : info().needs) {
        if (seam == Seam::kState && !sight.kernel_state)
            return {Status::kUnavailable,
                    "kernel state (unread bytes, backlog, socket state) cannot be read: " + sight.why};
        if (seam == Seam::kWakeups && !sight.wakeups)
            return {Status::kUnavailable, "wake-ups of epoll_wait cannot be seen: " + sight.why};
        if (seam == Seam::kReadiness && !sight.readiness)
            result = {Status::kDegraded, "readiness is known only at delivery: " + sight.why};
    }
    return result;
}

}  // namespace epaudit
