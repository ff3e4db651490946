// SPDX-License-Identifier: Apache-2.0
#include "src/report/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "src/report/words.h"

namespace epaudit {

namespace {

using Entries = std::span<const TimelineEntry>;

constexpr size_t kShown = 16;
constexpr size_t kWorthFolding = 3;  // twice is told as quickly by showing it

Entries newest(const std::vector<TimelineEntry>& entries)
{
    return Entries(entries).last(std::min(entries.size(), kShown));
}

bool same(const TimelineEntry& a, const TimelineEntry& b) { return a.what == b.what && a.tid == b.tid; }

// How often the first `period` entries follow one another.
size_t rounds(Entries entries, size_t period)
{
    size_t matching = period;
    while (matching < entries.size() && same(entries[matching], entries[matching - period]))
        ++matching;
    return matching / period;
}

// The period of the cycle that covers most of what follows, 0 when none is worth folding.
size_t best_period(Entries entries)
{
    size_t best = 0;
    size_t covered = 0;
    for (size_t period = 1; period * kWorthFolding <= entries.size(); ++period) {
        const size_t count = rounds(entries, period);
        if (count >= kWorthFolding && count * period > covered) {
            best = period;
            covered = count * period;
        }
    }
    return best;
}

// Microseconds only where milliseconds would print two moments alike.
int decimals(Entries entries)
{
    for (size_t i = 1; i < entries.size(); ++i)
        if (entries[i].t - entries[i - 1].t < 0.000999)
            return 6;
    return 3;
}

std::string fold_text(const TimelineRow& row, int precision)
{
    const std::string what = row.period == 1 ? "repeated" : fmt::format("these {} repeated", row.period);
    return fmt::format("... {} {} times, until {:.{}f} s", what, row.repeated, row.until, precision);
}

}  // namespace

std::vector<TimelineRow> fold(const std::vector<TimelineEntry>& entries)
{
    std::vector<TimelineRow> rows;
    for (Entries rest = newest(entries); !rest.empty();) {
        const size_t period = best_period(rest);
        const size_t shown = std::max<size_t>(period, 1);
        for (size_t i = 0; i < shown; ++i)
            rows.push_back({.entry = &rest[i]});
        if (period == 0) {
            rest = rest.subspan(1);
            continue;
        }
        const size_t count = rounds(rest, period);
        rows.push_back({.period = static_cast<unsigned>(period),
                        .repeated = static_cast<unsigned>(count - 1),
                        .until = rest[count * period - 1].t});
        rest = rest.subspan(count * period);
    }
    return rows;
}

std::vector<std::string> timeline_lines(const std::vector<TimelineEntry>& entries, size_t width)
{
    const Entries shown = newest(entries);
    if (shown.empty())
        return {};
    const int precision = decimals(shown);
    const uint32_t tid = shown[0].tid;
    const bool one_thread = std::all_of(shown.begin(), shown.end(), [&](const auto& e) { return e.tid == tid; });
    const size_t time_width = fmt::format("{:.{}f}", shown.back().t, precision).size();
    const size_t indent = 2;

    std::vector<std::string> lines{one_thread && tid != 0 ? fmt::format("timeline, tid {}", tid) : "timeline"};
    for (const TimelineRow& row : fold(entries)) {
        std::string head(indent, ' ');
        if (row.entry == nullptr) {
            lines.push_back(head + fold_text(row, precision));
            continue;
        }
        head += fmt::format("{:>{}.{}f} s  ", row.entry->t, time_width, precision);
        if (!one_thread)
            head += fmt::format("{:<13}", row.entry->tid != 0 ? fmt::format("tid {}", row.entry->tid) : "");
        const std::vector<std::string> what = wrap(row.entry->what, width - head.size());
        for (size_t i = 0; i < what.size(); ++i)
            lines.push_back((i == 0 ? head : std::string(head.size(), ' ')) + what[i]);
    }
    return lines;
}

}  // namespace epaudit
