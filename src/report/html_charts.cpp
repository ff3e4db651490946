// SPDX-License-Identifier: Apache-2.0
#include "src/report/html_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/books/duration.h"
#include "src/report/markup.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

constexpr double kLeft = 2;  // percent kept free so that marks at the ends are not cut
constexpr double kRight = 98;
constexpr int kLaneHeight = 30;
constexpr int kChartHeight = 140;

// How far apart two postings are drawn: gaps go from microseconds to minutes, so by their logarithm.
double gap_weight(double seconds) { return 0.6 + std::log10(1 + std::max(seconds, 0.0) * 1e6); }

std::vector<double> positions(const std::vector<TimelineEntry>& timeline)
{
    std::vector<double> at{0};
    for (size_t i = 1; i < timeline.size(); i++)
        at.push_back(at.back() + gap_weight(timeline[i].t - timeline[i - 1].t));
    const double total = at.back();
    for (double& x : at)
        x = total > 0 ? kLeft + x / total * (kRight - kLeft) : 50;
    return at;
}

// A shape per lane: colour alone must not tell.
std::string mark(Lane lane, double x, int y, const std::string& title)
{
    const char* kind = lane_name(lane);
    const std::string hint = fmt::format("<title>{}</title>", xml_escaped(title));
    switch (lane) {
    case Lane::kDelivered:
        return fmt::format(R"(<circle class="mark {}" cx="{:.2f}%" cy="{}" r="6">{}</circle>)", kind, x, y, hint);
    case Lane::kRead:
    case Lane::kWrite:
        return fmt::format(R"(<svg class="at" x="{:.2f}%" y="{}"><path class="mark {}" d="{}">{}</path></svg>)", x, y,
                           kind, lane == Lane::kRead ? "M-6,-5 L6,-5 L0,6 Z" : "M-6,5 L6,5 L0,-6 Z", hint);
    default:
        return fmt::format(
            R"(<svg class="at" x="{:.2f}%" y="{}"><path class="mark {}" d="M-5,-5 H5 V5 H-5 Z">{}</path></svg>)", x, y,
            kind, hint);
    }
}

// Delivered, read and write are always there: an empty lane is the evidence.
std::vector<Lane> lanes_of(const std::vector<TimelineEntry>& timeline)
{
    std::vector<Lane> lanes{Lane::kDelivered, Lane::kRead, Lane::kWrite};
    for (const Lane lane : {Lane::kControl, Lane::kOther})
        if (std::any_of(timeline.begin(), timeline.end(), [&](const TimelineEntry& e) { return e.lane == lane; }))
            lanes.push_back(lane);
    return lanes;
}

// Long pauses, named where there is room.
std::string pauses(const std::vector<TimelineEntry>& timeline, const std::vector<double>& at, int y)
{
    std::string out;
    for (size_t i = 1; i < timeline.size(); i++) {
        const double gap = timeline[i].t - timeline[i - 1].t;
        if (at[i] - at[i - 1] < 16)  // narrower than its label on a phone
            continue;
        out += fmt::format(R"(<text class="pause" x="{:.2f}%" y="{}" text-anchor="middle">{}</text>)",
                           (at[i] + at[i - 1]) / 2, y, seconds_text(gap));
    }
    return out;
}

std::string duration_of_bucket(size_t bucket)
{
    const auto us = static_cast<double>(1ULL << bucket);
    if (us < 1000)
        return fmt::format("{:.0f} µs", us);
    return us < 1e6 ? fmt::format("{:.0f} ms", us / 1024) : fmt::format("{:.0f} s", us / 1048576);
}

std::string bucket_label(size_t bucket, const std::string& unit)
{
    return unit == "µs" ? duration_of_bucket(bucket) : grouped(1ULL << bucket);
}

// The next 1, 2 or 5 times a power of ten: where the axis ends.
double nice_ceiling(double value)
{
    if (value <= 0)
        return 1;
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double step : {1.0, 2.0, 5.0})
        if (value <= step * power)
            return step * power;
    return 10 * power;
}

// Line over its area, in a box of 1000 x 100 that stretches.
template <typename Value>
std::string curve(const std::vector<RateSample>& samples, double top, const char* kind, Value value)
{
    const double begin = samples.front().t - samples.front().seconds;
    const double length = std::max(samples.back().t - begin, 1e-9);
    std::string points;
    double last = 0;
    for (const RateSample& sample : samples) {
        const double y = 100 - std::min(value(sample) / top, 1.0) * 100;
        const double from = (sample.t - sample.seconds - begin) / length * 1000;
        last = (sample.t - begin) / length * 1000;
        points += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", from, y, last, y);
    }
    return fmt::format(R"(<polygon class="area {0}" points="0,100 {1}{2:.1f},100"/>)"
                       R"(<polyline class="line {0}" points="{1}"/>)",
                       kind, points, last);
}

}  // namespace

std::string lanes_svg(const std::vector<TimelineEntry>& timeline, const std::string& id)
{
    if (timeline.empty())
        return {};
    const std::vector<Lane> lanes = lanes_of(timeline);
    const std::vector<double> at = positions(timeline);
    const int height = static_cast<int>(lanes.size()) * kLaneHeight + 36;
    std::string names;
    std::string lines;
    for (size_t i = 0; i < lanes.size(); i++) {
        const auto number = std::count_if(timeline.begin(), timeline.end(),
                                          [&](const auto& e) { return e.lane == lanes[i]; });
        names += fmt::format("<span>{}{}</span>", lane_name(lanes[i]), number == 0 ? " <b>none</b>" : "");
        const int y = static_cast<int>(i) * kLaneHeight + kLaneHeight / 2;
        lines += fmt::format(R"(<line class="rail" x1="0" x2="100%" y1="{0}" y2="{0}"/>)", y);
    }
    std::string marks;
    for (size_t i = 0; i < timeline.size(); i++) {
        const auto lane = std::find(lanes.begin(), lanes.end(), timeline[i].lane) - lanes.begin();
        const std::string who = timeline[i].tid ? fmt::format(", tid {}", timeline[i].tid) : "";
        marks += mark(timeline[i].lane, at[i], static_cast<int>(lane) * kLaneHeight + kLaneHeight / 2,
                      fmt::format("{:.6f} s: {}{}", timeline[i].t, clean(timeline[i].what), who));
    }
    const int base = height - 6;
    const std::string ends = fmt::format(
        R"(<text class="tick" x="0" y="{0}">{1:.3f} s</text><text class="tick" x="100%" y="{0}" text-anchor="end">{2:.3f} s</text>)",
        base, timeline.front().t, timeline.back().t);
    return fmt::format(R"(<div class="lanes"><div class="names" aria-hidden="true">{}</div>)"
                       R"(<svg class="chart" role="img" aria-labelledby="{}" height="{}">{}{}{}{}</svg></div>)",
                       names, id, height, lines, marks, pauses(timeline, at, base - 16), ends);
}

std::string rates_svg(const std::vector<RateSample>& samples, const std::string& id)
{
    if (samples.size() < 2)
        return {};
    auto per_s = [](uint64_t number, const RateSample& s) {
        return s.seconds > 0 ? static_cast<double>(number) / s.seconds : 0;
    };
    auto returns = [&](const RateSample& s) { return per_s(s.returns, s); };
    auto futile = [&](const RateSample& s) { return per_s(s.futile, s); };
    double highest = 0;
    for (const RateSample& sample : samples)
        highest = std::max(highest, returns(sample));
    const double top = nice_ceiling(highest);
    const double begin = samples.front().t - samples.front().seconds;
    return fmt::format(
        R"(<svg class="chart" role="img" aria-labelledby="{}" height="{}">)"
        R"(<line class="grid" x1="0" x2="100%" y1="18" y2="18"/><line class="grid" x1="0" x2="100%" y1="68" y2="68"/>)"
        R"(<svg y="18" width="100%" height="100" viewBox="0 0 1000 100" preserveAspectRatio="none">{}{}</svg>)"
        R"(<line class="rail" x1="0" x2="100%" y1="118" y2="118"/>)"
        R"(<text class="tick" x="0" y="12">{} per s</text>)"
        R"(<text class="tick" x="0" y="134">{:.1f} s</text><text class="tick" x="100%" y="134" text-anchor="end">{:.1f} s</text></svg>)",
        id, kChartHeight, curve(samples, top, "returns", returns), curve(samples, top, "futile", futile),
        number_text(top), begin, samples.back().t);
}

std::string histogram_svg(const uint32_t* buckets, size_t count, const std::string& unit, const std::string& id,
                          const std::string& title)
{
    size_t first = count;
    size_t last = 0;
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        if (buckets[i] == 0)
            continue;
        first = std::min(first, i);
        last = i;
        highest = std::max(highest, buckets[i]);
    }
    if (highest == 0)
        return {};
    first = first > 0 ? first - 1 : 0;
    last = std::max(std::min(last + 1, count - 1), std::min(first + 5, count - 1));
    const double width = 100.0 / static_cast<double>(last - first + 1);
    const size_t every = last - first > 7 ? 4 : 2;
    std::string bars;
    for (size_t i = first; i <= last; i++) {
        const double x = width * static_cast<double>(i - first);
        // Rare and slow is what matters: a bar that counts something is never too small to see.
        const double height = buckets[i] ? std::max(3.0, 100.0 * buckets[i] / highest) : 0;
        if (buckets[i])
            bars += fmt::format(R"(<rect class="mark bar" x="{:.2f}%" width="{:.2f}%" y="{:.1f}" height="{:.1f}">)"
                                "<title>{} to {}{}: {}</title></rect>",
                                x + width * 0.06, width * 0.88, 118 - height, height, bucket_label(i, unit),
                                i + 1 == count ? "more" : bucket_label(i + 1, unit), unit == "µs" ? "" : " " + unit,
                                grouped(buckets[i]));
        if ((i - first) % every == 0 && x < 86)
            bars += fmt::format(R"(<text class="tick" x="{:.2f}%" y="134">{}</text>)", x + width * 0.06,
                                bucket_label(i, unit));
    }
    return fmt::format(
        R"(<figure class="small"><figcaption id="{0}">{1}</figcaption>)"
        R"(<svg class="chart" role="img" aria-labelledby="{0}" height="{2}">)"
        R"(<text class="tick" x="0" y="12">{3}</text><line class="rail" x1="0" x2="100%" y1="118" y2="118"/>{4}</svg></figure>)",
        id, title, kChartHeight, plural(highest, "time"), bars);
}

}  // namespace epaudit
