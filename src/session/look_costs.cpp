// SPDX-License-Identifier: Apache-2.0
#include "src/session/look_costs.h"

#include <fmt/format.h>

#include <algorithm>

namespace epaudit {

void LookCosts::add(uint64_t ns)
{
    if (newest_.size() < kKept)
        newest_.push_back(ns);
    else
        newest_[looks_ % kKept] = ns;
    looks_++;
    dearest_ = std::max(dearest_, ns);
}

uint64_t LookCosts::lately() const
{
    if (newest_.empty())
        return 0;
    const uint64_t last = newest_[(looks_ - 1) % kKept];
    return looks_ == 1 ? last : std::min(last, newest_[(looks_ - 2) % kKept]);
}

std::string LookCosts::text() const
{
    if (newest_.empty())
        return "no look";
    std::vector<uint64_t> sorted = newest_;
    std::sort(sorted.begin(), sorted.end());
    return fmt::format("{} looks: {:.1f} ms of CPU time each (median of the newest {}), {:.1f} ms the dearest", looks_,
                       static_cast<double>(sorted[sorted.size() / 2]) / 1e6, sorted.size(),
                       static_cast<double>(dearest_) / 1e6);
}

}  // namespace epaudit
