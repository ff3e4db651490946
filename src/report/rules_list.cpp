// SPDX-License-Identifier: Apache-2.0
#include "src/report/rules_list.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ostream>

#include "src/report/words.h"

namespace epaudit {

namespace {

using Json = nlohmann::ordered_json;

const char* seam_name(Seam seam)
{
    switch (seam) {
    case Seam::kReadiness: return "readiness";
    case Seam::kWakeups: return "wakeups";
    case Seam::kState: return "state";
    }
    return "?";
}

Json rule_json(const RuleListing& rule)
{
    Json needs = Json::array();
    for (const Seam seam : rule.info.needs)
        needs.push_back(seam_name(seam));
    return Json{{"id", rule.info.id},
                {"name", rule.info.name},
                {"says", rule.info.says},
                {"highest", level_name(rule.info.highest)},
                {"status", status_name(rule.coverage.status)},
                {"reason", rule.coverage.reason},
                {"needs", std::move(needs)},
                {"blind", rule.info.blind ? rule.info.blind : ""},
                {"thresholds", thresholds_json(rule.info)}};
}

void write_hanging(const std::string& head, const std::string& text, size_t width, std::ostream& out)
{
    std::string margin = head;
    for (const std::string& line : wrap(text, width - head.size())) {
        fmt::print(out, "{}{}\n", margin, line);
        margin = std::string(head.size(), ' ');
    }
}

}  // namespace

void write_rules_text(const std::vector<RuleListing>& rules, const Options& options, std::ostream& out)
{
    const size_t width = std::max<size_t>(options.width, 60);
    size_t name = 0;
    for (const RuleListing& rule : rules)
        name = std::max(name, std::strlen(rule.info.name));
    size_t limited = 0;
    for (const RuleListing& rule : rules) {
        const std::string head = fmt::format("{:<5}  {:<{}}  {:<9}  ", rule.info.id, rule.info.name, name,
                                             level_name(rule.info.highest));
        write_hanging(head, rule.info.says, width, out);
        if (rule.coverage.status == Status::kAvailable)
            continue;
        ++limited;
        const std::string reason = rule.coverage.reason.empty() ? "" : ": " + rule.coverage.reason;
        write_hanging("       ", status_name(rule.coverage.status) + reason, width, out);
    }
    out << '\n';
    const std::string here = limited == 0 ? "all available here"
                                          : fmt::format("{} limited or not available here", limited);
    write_hanging(
        "", fmt::format("{}, {}; third column: the highest level it can reach", plural(rules.size(), "rule"), here),
        width, out);
    write_hanging("", "more about one: epaudit explain ID", width, out);
}

Json thresholds_json(const RuleInfo& info)
{
    Json thresholds = Json::array();
    for (const Threshold& threshold : info.thresholds)
        thresholds.push_back(Json{{"name", threshold.name},
                                  {"production", threshold.defaults.production},
                                  {"test", threshold.defaults.test},
                                  {"unit", unit_name(threshold.defaults.unit)},
                                  {"meaning", threshold.meaning},
                                  {"lower", threshold.worse.lower},
                                  {"higher", threshold.worse.higher}});
    return thresholds;
}

void write_rules_json(const std::vector<RuleListing>& rules, std::ostream& out)
{
    Json list = Json::array();
    for (const RuleListing& rule : rules)
        list.push_back(rule_json(rule));
    out << Json{{"schema", "epaudit-rules/1"}, {"rules", std::move(list)}}.dump(2, ' ', false,
                                                                                Json::error_handler_t::replace)
        << '\n';
}

}  // namespace epaudit
