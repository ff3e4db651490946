// SPDX-License-Identifier: Apache-2.0
// One live line on a terminal's stderr: how long, how much, what was found so far. Nothing when stderr is not a
// terminal. Whoever prints something else on stderr clears it first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "src/report/report.h"

namespace epaudit {

struct ProgressFacts {
    double seconds = 0;
    double postings_per_s = 0;
    uint64_t registrations = 0;
    size_t findings = 0;
    std::optional<WatchingCost> cost;  // so far; none: not measured yet
    bool detached = false;             // to keep the budget
};

// "12.3 s  45,210 events/s  37 registrations  1 finding  costs 2.4 % of a core", or what it costs of what is watched.
std::string progress_text(const ProgressFacts& facts);

class Progress {
public:
    explicit Progress(bool wanted);
    ~Progress() { clear(); }
    bool on() const { return on_; }
    void show(const ProgressFacts& facts);
    void clear();

private:
    bool on_ = false;
    bool shown_ = false;
};

}  // namespace epaudit
