// SPDX-License-Identifier: Apache-2.0
// The timeline of a finding, made readable: a cycle that repeats is shown once.
#pragma once

#include <string>
#include <vector>

#include "src/finding/finding.h"

namespace epaudit {

// Either one entry, or "the last `period` rows happened `repeated` times more, until `until`".
struct TimelineRow {
    const TimelineEntry* entry = nullptr;
    unsigned period = 0;
    unsigned repeated = 0;
    double until = 0;
};

// Points into `entries`. The last 16 of them at most.
std::vector<TimelineRow> fold(const std::vector<TimelineEntry>& entries);

// Lines without margin, with a title ("timeline, tid 12"). Empty when there are no entries.
std::vector<std::string> timeline_lines(const std::vector<TimelineEntry>& entries, size_t width);

}  // namespace epaudit
