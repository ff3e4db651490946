// SPDX-License-Identifier: Apache-2.0
// epaudit rules, epaudit explain.
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/capture/live.h"
#include "src/cli/options.h"
#include "src/finding/explain.h"
#include "src/report/page.h"
#include "src/report/rules_list.h"
#include "src/report/words.h"
#include "src/support/capabilities.h"
#include "src/support/nearest.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

// What each rule can see on this machine, with these privileges: by trying, as doctor does.
std::function<Coverage(const Rule&)> coverage_here()
{
    if (!Capabilities::own().can_observe())
        return [](const Rule&) {
            return Coverage{Status::kUnavailable, "CAP_BPF and CAP_PERFMON are missing (try with sudo)"};
        };
    std::string refused;
    for (HookSet set : {HookSet::kTrampoline, HookSet::kTracepoint}) {
        const HookReport report = LiveCapture::examine(set);
        if (report.usable)
            return [sight = report.sight](const Rule& rule) { return rule.coverage(sight); };
        refused = report.reason;
    }
    return [refused](const Rule&) { return Coverage{Status::kUnavailable, "no probes can be used: " + refused}; };
}

bool same(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

void explain(const RuleInfo& info)
{
    const bool styled = wants_colour("auto", STDOUT_FILENO);
    const size_t width = text_width(STDOUT_FILENO);
    std::cout << page_text(explain_text(info.name), width, styled) << '\n'
              << page_text("## Thresholds\n\nLower, higher: what gets worse when it is set so.\n", width, styled)
              << '\n';
    size_t names = 0;
    for (const Threshold& threshold : info.thresholds)
        names = std::max(names, std::string_view(threshold.name).size());
    auto row = [&](std::string_view name, std::string_view production, std::string_view test, std::string_view unit,
                   std::string_view meaning) {
        const std::string head = fmt::format("  {:<{}}  {:>10}  {:>6}  {:<6}  ", name, names, production, test, unit);
        std::cout << beside(head, meaning, width);
    };
    row("name", "production", "test", "unit", "meaning");
    for (const Threshold& threshold : info.thresholds) {
        row(threshold.name, fmt::format("{:g}", threshold.defaults.production),
            fmt::format("{:g}", threshold.defaults.test), unit_name(threshold.defaults.unit), threshold.meaning);
        std::cout << beside("      ",
                            fmt::format("lower: {}; higher: {}", threshold.worse.lower, threshold.worse.higher), width);
    }
    fmt::print(std::cout, "\nSet one with --set {}.NAME=VALUE.\n", info.name);
}

// "EP2": those of a hundred.
bool is_family(std::string_view name) { return name.size() == 3 && same(name.substr(0, 2), "EP"); }

}  // namespace

Result<int> rules_command(const CatalogueOptions& options)
{
    const auto coverage = coverage_here();
    std::vector<RuleListing> listing;
    for (const auto& rule : make_rules())
        listing.push_back({rule->info(), coverage(*rule)});
    if (options.format == "json")
        write_rules_json(listing, std::cout);
    else {
        Options shown;
        shown.width = static_cast<unsigned>(text_width(STDOUT_FILENO));
        write_rules_text(listing, shown, std::cout);
    }
    return 0;
}

Result<int> explain_command(const CatalogueOptions& options)
{
    std::vector<std::string> known;
    bool family = false;
    for (const auto& rule : make_rules()) {
        const RuleInfo& info = rule->info();
        known.insert(known.end(), {info.id, info.name});
        if (is_family(options.rule) && same(options.rule, std::string_view(info.id).substr(0, options.rule.size()))) {
            std::cout << beside(fmt::format("{}  {:<26}", info.id, info.name), info.says, text_width(STDOUT_FILENO));
            family = true;
        }
        if (!same(options.rule, info.id) && !same(options.rule, info.name))
            continue;
        explain(info);
        return 0;
    }
    if (family)
        return 0;
    return usage_error(fmt::format("no rule '{}'", options.rule),
                       did_you_mean(options.rule, known, "`epaudit rules` lists ids and names"));
}

}  // namespace epaudit
