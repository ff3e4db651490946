// SPDX-License-Identifier: Apache-2.0
#include "src/audit/auditor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "src/support/nearest.h"

namespace epaudit {

Auditor::Auditor(Profile profile, std::vector<std::unique_ptr<Rule>> rules)
{
    for (auto& rule : rules) {
        Settings settings(rule->info(), profile);
        slots_.push_back({std::move(rule), std::move(settings)});
    }
}

Auditor::Slot* Auditor::find(std::string_view id_or_name)
{
    for (Slot& slot : slots_) {
        if (id_or_name == slot.rule->info().id || id_or_name == slot.rule->info().name)
            return &slot;
    }
    return nullptr;
}

const Settings* Auditor::settings(std::string_view id_or_name) const
{
    const Slot* slot = const_cast<Auditor*>(this)->find(id_or_name);
    return slot ? &slot->settings : nullptr;
}

bool Auditor::is_on(std::string_view id_or_name) const
{
    const Slot* slot = const_cast<Auditor*>(this)->find(id_or_name);
    return slot && slot->on;
}

size_t Auditor::rules_on() const
{
    return static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.on; }));
}

Error Auditor::unknown_rule(std::string_view name) const
{
    std::vector<std::string> known;
    for (const Slot& slot : slots_) {
        known.push_back(slot.rule->info().id);
        known.push_back(slot.rule->info().name);
    }
    return usage_error(fmt::format("unknown rule '{}'", name), did_you_mean(name, known, "`epaudit rules` lists them"));
}

Result<> Auditor::mark(const std::vector<std::string>& names, bool on)
{
    for (const std::string& name : names) {
        bool found = false;
        for (Slot& slot : slots_) {
            if (const RuleInfo& info = slot.rule->info(); !names_rule(info.id, info.name, name))
                continue;
            slot.on = on;
            found = true;
        }
        if (!found)
            return unknown_rule(name);
    }
    return Done{};
}

Result<> Auditor::select(const std::vector<std::string>& names)
{
    for (Slot& slot : slots_)
        slot.on = false;
    return mark(names, true);
}

Result<> Auditor::ignore(const std::vector<std::string>& names) { return mark(names, false); }

Result<> Auditor::set(const std::string& assignment)
{
    size_t equals = assignment.find('=');
    size_t dot = assignment.find('.');
    if (equals == std::string::npos || dot == std::string::npos || dot > equals)
        return usage_error(fmt::format("'{}' is not a setting", assignment),
                           "write RULE.NAME=NUMBER, for example busy-epollout.per_s=100");
    std::string rule = assignment.substr(0, dot);
    std::string name = assignment.substr(dot + 1, equals - dot - 1);
    std::string text = assignment.substr(equals + 1);
    Slot* slot = find(rule);
    if (!slot)
        return unknown_rule(rule);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0)
        return usage_error(fmt::format("'{}' in '{}' is not a number", text, assignment),
                           "thresholds are numbers, 0 or more, with '.' for the decimal point");
    if (slot->settings.set(name, value, "--set"))
        return Done{};
    std::vector<std::string> known;
    for (const Threshold& t : slot->rule->info().thresholds)
        known.push_back(t.name);
    std::string near = nearest(name, known);
    return usage_error(fmt::format("rule {} has no threshold '{}'", slot->rule->info().name, name),
                       near.empty() ? fmt::format("it has: {}", fmt::join(known, ", "))
                                    : fmt::format("did you mean '{}'? It has: {}", near, fmt::join(known, ", ")));
}

bool Auditor::set(std::string_view rule, const std::string& name, double value, const std::string& origin)
{
    Slot* slot = find(rule);
    return slot && slot->settings.set(name, value, origin);
}

void Auditor::look(const Snapshot& books)
{
    for (Slot& slot : slots_) {
        if (!slot.on)
            continue;
        std::vector<Finding> said;
        slot.rule->audit(books, slot.settings, said);
        for (Finding& finding : said)
            kept_.keep(std::move(finding), &slot.rule->info(), books);
    }
    if (books.call_sites)
        add_stacks(books);
}

void Auditor::begin_anew(std::vector<std::unique_ptr<Rule>> rules)
{
    for (Slot& slot : slots_) {
        if (slot.rule->outlives_books())
            continue;
        for (auto& rule : rules)
            if (rule && rule->info().id == std::string_view(slot.rule->info().id))
                slot.rule = std::move(rule);
    }
}

std::map<double, std::vector<std::string>> Auditor::impatient(double seconds, const Sight& sight) const
{
    std::map<double, std::vector<std::string>> result;
    for (const Slot& slot : slots_) {
        const double needs = slot.rule->patience(slot.settings);
        if (slot.on && needs > seconds && slot.rule->coverage(sight).status != Status::kUnavailable)
            result[needs].push_back(slot.rule->info().id);
    }
    return result;
}

std::vector<RuleInfo> Auditor::rules() const
{
    std::vector<RuleInfo> result;
    for (const Slot& slot : slots_) {
        if (slot.on)
            result.push_back(slot.rule->info());
    }
    return result;
}

std::vector<RuleCoverage> Auditor::coverage(const Sight& sight) const
{
    std::vector<RuleCoverage> result;
    for (const Slot& slot : slots_) {
        if (slot.on) {
            Coverage coverage = slot.rule->coverage(sight);
            result.push_back({slot.rule->info().id, slot.rule->info().name, coverage.status, coverage.reason});
        }
    }
    return result;
}

}  // namespace epaudit
