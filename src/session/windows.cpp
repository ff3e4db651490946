// SPDX-License-Identifier: Apache-2.0
#include "src/session/windows.h"

#include <algorithm>

#include "src/books/duration.h"

namespace epaudit {
namespace {

// Of those that --budget leaves.
constexpr uint32_t kWindowsPerMeasurement = 4;
// Wake-ups without work in a row that may become a spin, and how many files that did so are remembered.
constexpr uint32_t kSpinning = 64;
constexpr size_t kMostSubjects = 1000;

}  // namespace

WatchingBudget Windows::summary(uint64_t now) const
{
    return {budget_.share(), budget_.attached_share(now), seconds_of(budget_.longest_gap())};
}

void Windows::looked(const std::vector<Entry>& entries)
{
    spinning_.clear();
    for (const Entry& entry : entries)
        if (entry.registration.run >= kSpinning)
            spinning_.insert({entry.file_id, entry.key.epoll});
}

void Windows::measured(const Cost::Stretch& stretch, double own_cpu_s, uint64_t now)
{
    const double seconds = seconds_of(now - told_at_);
    budget_.measured({stretch.probes, (own_cpu_s - own_cpu_then_) / seconds, stretch.watched}, now);
    own_cpu_then_ = own_cpu_s;
    told_at_ = now;
}

Budget::Step Windows::tick(uint64_t now, double own_cpu_s, size_t findings, bool suspicious)
{
    budget_.own_cpu(static_cast<uint64_t>(own_cpu_s * 1e9));
    extended_ = budget_.extended();
    const bool untold = findings == found_then_;
    return budget_.tick(now, untold && (spins_anew() || suspicious));
}

void Windows::closed()
{
    if (!extended_)
        return;
    if (looked_long_.size() > kMostSubjects)
        looked_long_.clear();
    looked_long_.insert(spinning_.begin(), spinning_.end());
}

bool Windows::opened(size_t findings)
{
    found_then_ = findings;
    spinning_.clear();
    return windows_++ % kWindowsPerMeasurement == 0;
}

bool Windows::spins_anew() const
{
    return std::any_of(spinning_.begin(), spinning_.end(),
                       [this](const Subject& subject) { return !looked_long_.count(subject); });
}

}  // namespace epaudit
