// SPDX-License-Identifier: Apache-2.0
// The drawings of the HTML report: plain SVG without scripts, so that it can be read wherever scripts are
// forbidden (artefact viewers of CI services), printed, and tested. Horizontal positions are percentages and
// everything else pixels: a drawing is as wide as its page and its letters stay readable on a phone.
#pragma once

#include <string>
#include <vector>

#include "src/finding/finding.h"
#include "src/finding/history.h"

namespace epaudit {

// The timeline as lanes: what epoll delivered against what was read and written. Empty without a timeline.
std::string lanes_svg(const std::vector<TimelineEntry>& timeline, const std::string& id);

// Returns of epoll_wait per second, and how many of them were futile. Empty with less than two samples.
std::string rates_svg(const std::vector<RateSample>& samples, const std::string& id);

// A histogram of powers of two; `unit` is "µs" (shown as µs, ms, s) or a noun. Empty when nothing was counted.
std::string histogram_svg(const uint32_t* buckets, size_t count, const std::string& unit, const std::string& id,
                          const std::string& title);

}  // namespace epaudit
