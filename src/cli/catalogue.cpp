// SPDX-License-Identifier: Apache-2.0
// epaudit rules, epaudit explain.
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <strings.h>

#include <functional>
#include <iostream>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/capture/live.h"
#include "src/cli/options.h"
#include "src/finding/explain.h"
#include "src/report/rules_list.h"
#include "src/support/capabilities.h"
#include "src/support/nearest.h"

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
    else
        write_rules_text(listing, Options{}, std::cout);
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
            fmt::print(std::cout, "{}  {:<26}{}\n", info.id, info.name, info.says);
            family = true;
        }
        if (!same(options.rule, info.id) && !same(options.rule, info.name))
            continue;
        std::cout << explain_text(info.name);
        fmt::print(std::cout, "\n## Thresholds\n\n{:<24} {:>12} {:>12}   {}\n", "name", "production", "test",
                   "meaning");
        for (const Threshold& threshold : info.thresholds)
            fmt::print(std::cout, "{:<24} {:>12g} {:>12g}   {}\n", threshold.name, threshold.production, threshold.test,
                       threshold.meaning);
        fmt::print(std::cout, "\nSet one with --set {}.NAME=VALUE.\n", info.name);
        return 0;
    }
    if (family)
        return 0;
    return usage_error(fmt::format("no rule '{}'", options.rule),
                       did_you_mean(options.rule, known, "`epaudit rules` lists ids and names"));
}

}  // namespace epaudit
