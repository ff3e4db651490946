// SPDX-License-Identifier: Apache-2.0
#include "src/report/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "src/report/words.h"

namespace epaudit {
namespace {

size_t number_of(const Report& report, Level level)
{
    return static_cast<size_t>(std::count_if(report.findings.begin(), report.findings.end(),
                                             [&](const Finding& finding) { return finding.level == level; }));
}

// "by 9 of 10 rules" when some could not see: those did not pass.
std::string by_rules(const Report& report)
{
    const auto blind = std::count_if(report.coverage.begin(), report.coverage.end(),
                                     [](const auto& rule) { return rule.status == Status::kUnavailable; });
    if (blind == 0)
        return "";
    return fmt::format(" by {} of {} rules", static_cast<long>(report.coverage.size()) - blind, report.coverage.size());
}

const char* why_incomplete(const Observation& seen)
{
    for (const auto& [name, count] : seen.lost)
        if (count > 0)
            return "\"lost\"";
    return seen.notes.empty() ? "\"data\"" : "\"note\"";
}

}  // namespace

std::string levels_text(const Report& report, Level highest, Level lowest)
{
    static constexpr std::array<std::pair<Level, const char*>, 4> kNames{
        {{Level::kConfirmed, "confirmed"}, {Level::kLikely, "likely"}, {Level::kRisk, "risk"}, {Level::kInfo, "info"}}};
    std::string text;
    for (const auto& [level, name] : kNames) {
        const size_t number = number_of(report, level);
        if (level > highest || level < lowest || number == 0)
            continue;
        const bool noun = level <= Level::kRisk;
        text += text.empty() ? "" : ", ";
        text += noun ? plural(number, name) : fmt::format("{} {}", grouped(number), name);
    }
    return text;
}

bool has_harm(const Report& report)
{
    return number_of(report, Level::kConfirmed) + number_of(report, Level::kLikely) > 0;
}

std::string verdict_text(const Report& report)
{
    const Observation& seen = report.observation;
    const std::string shown = levels_text(report, Level::kConfirmed,
                                          report.options.risks ? Level::kInfo : Level::kLikely);
    if (has_harm(report))
        return fmt::format("{}: {}{}", plural(shown_findings(report).size(), "finding"), shown,
                           seen.complete ? "" : "; there may be more, the data is incomplete");
    const std::string also = shown.empty() ? "" : "; " + shown + " above";
    const std::string length = seconds_text(seen.seconds);
    if (!seen.complete)
        return fmt::format("clean cannot be claimed: nothing found{} in {}, but the data is incomplete (see {}){}",
                           by_rules(report), length, why_incomplete(seen), also);
    if (seen.epolls == 0)
        return fmt::format("nothing to audit: no epoll instance was seen in {}{}", length, also);
    return fmt::format("no epoll misuse found{} in {}, {}, {} of {}{}", by_rules(report), length,
                       plural(seen.postings, "posting"), plural(seen.registrations, "registration"),
                       plural(seen.epolls, "epoll"), also);
}

}  // namespace epaudit
