// SPDX-License-Identifier: Apache-2.0
// Under --budget: what the budget has to know of an observation. Who spins is remembered from look to look: it keeps a
// window open (budget.h), but only one window, if nothing comes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "src/books/snapshot.h"
#include "src/report/report.h"
#include "src/session/budget.h"
#include "src/session/cost.h"

namespace epaudit {

class Windows {
public:
    // `own_cpu_s`: of epaudit itself, here and below.
    Windows(double share, double own_cpu_s, uint64_t now, uint64_t opening_ns)
        : budget_(share, now, opening_ns), own_cpu_then_(own_cpu_s), told_at_(now)
    {
    }

    bool attached() const { return budget_.attached(); }
    double attached_share(uint64_t now) const { return budget_.attached_share(now); }
    WatchingBudget summary(uint64_t now) const;

    void looked(const std::vector<Entry>& entries);
    // A stretch that was attached all the time has been measured.
    void measured(const Cost::Stretch& stretch, double own_cpu_s, uint64_t now);
    // What is to be done now; closed() or opened() follow when it has been done. `findings`: so far; `suspicious`: the probes
    // saw something.
    Budget::Step tick(uint64_t now, double own_cpu_s, size_t findings, bool suspicious);
    void closed();
    // True: what watching costs is to be measured in this window. While the kernel measures, probes cost more.
    bool opened(size_t findings);

private:
    bool spins_anew() const;

    Budget budget_;
    double own_cpu_then_;  // when the budget was last told
    uint64_t told_at_;     // likewise
    bool extended_ = false;
    size_t found_then_ = 0;  // findings, when this window began
    uint32_t windows_ = 0;
    using Subject = std::pair<uint64_t, uint64_t>;  // file and epoll
    std::set<Subject> spinning_;                    // at the last look
    std::set<Subject> looked_long_;                 // windows were kept open for these
};

}  // namespace epaudit
