// SPDX-License-Identifier: Apache-2.0
// What sections of epaudit.toml have in common: values with their types, rules and thresholds by name, and errors that
// say where. For config.cpp alone.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "src/audit/config.h"
#include "src/audit/toml.h"
#include "src/support/nearest.h"

namespace epaudit {

using Names = std::vector<std::string>;

// The first error is kept and ends the reading.
class ConfigValues {
protected:
    ConfigValues(const std::string& file, const std::vector<RuleInfo>& rules) : file_(file), rules_(rules) {}

    std::string position(const toml::source_region& at) const
    {
        return fmt::format("{}:{}:{}", file_, at.begin.line, at.begin.column);
    }

    std::string line(const toml::source_region& at) const { return fmt::format("{}:{}", file_, at.begin.line); }

    void fail(const toml::source_region& at, const std::string& message, const std::string& hint)
    {
        if (!error_)
            error_ = usage_error(position(at) + ": " + message, hint);
    }

    void unknown_key(const toml::key& key, const Names& known)
    {
        fail(key.source(), fmt::format("unknown key '{}'", key.str()),
             did_you_mean(key.str(), known, fmt::format("known here: {}", fmt::join(known, ", "))));
    }

    template <typename Value>
    std::optional<Value> value_of(const toml::key& key, const toml::node& node, const char* wanted)
    {
        std::optional<Value> value = node.value_exact<Value>();
        if (!value)
            fail(node.source(), fmt::format("'{}' must be {}", key.str(), wanted), "");
        return value;
    }

    const toml::table* table_of(const toml::key& key, const toml::node& node)
    {
        if (!node.is_table())
            fail(node.source(), fmt::format("'{}' must be a table", key.str()), fmt::format("write [{}]", key.str()));
        return node.as_table();
    }

    std::string one_of(const toml::key& key, const toml::node& node, const Names& choices)
    {
        const auto text = value_of<std::string>(key, node, "a string");
        if (!text)
            return {};
        if (std::find(choices.begin(), choices.end(), *text) == choices.end()) {
            fail(node.source(), fmt::format("'{}' is no value of '{}'", *text, key.str()),
                 did_you_mean(*text, choices, fmt::format("choose from: {}", fmt::join(choices, ", "))));
        }
        return *text;
    }

    const RuleInfo* find_rule(std::string_view name) const
    {
        for (const RuleInfo& info : rules_)
            if (name == info.id || name == info.name)
                return &info;
        return nullptr;
    }

    void unknown_rule(const toml::source_region& at, std::string_view name)
    {
        Names known;
        for (const RuleInfo& info : rules_) {
            known.push_back(info.id);
            known.push_back(info.name);
        }
        fail(at, fmt::format("unknown rule '{}'", name), did_you_mean(name, known, "`epaudit rules` lists them"));
    }

    // An id, a name or a family such as EP2.
    bool check_rules(const toml::source_region& at, const std::string& name)
    {
        const bool family = name.size() >= 3 && name.starts_with("EP") &&
                            std::any_of(rules_.begin(), rules_.end(), [&](const RuleInfo& info) {
                                return std::string_view(info.id).starts_with(name);
                            });
        if (!family && !find_rule(name))
            unknown_rule(at, name);
        return !error_;
    }

    Names rule_list(const toml::key& key, const toml::node& node)
    {
        Names names;
        if (!node.is_array()) {
            fail(node.source(), fmt::format("'{}' must be a list of rules", key.str()), "write [\"EP201\", \"EP4\"]");
            return names;
        }
        for (const toml::node& one : *node.as_array()) {
            const auto name = value_of<std::string>(key, one, "a list of strings");
            if (!name || !check_rules(one.source(), *name))
                break;
            names.push_back(*name);
        }
        return names;
    }

    std::vector<ThresholdSetting> thresholds(const toml::key& key, const toml::node& node)
    {
        std::vector<ThresholdSetting> found;
        const toml::table* table = table_of(key, node);
        if (!table)
            return found;
        for (const auto& [rule, settings] : *table) {
            const RuleInfo* info = find_rule(rule.str());
            if (!info) {
                unknown_rule(rule.source(), rule.str());
                break;
            }
            if (!settings.is_table()) {
                fail(settings.source(), fmt::format("'{}' must be a table", rule.str()),
                     fmt::format("write {}.NAME = NUMBER", rule.str()));
                break;
            }
            for (const auto& [name, value] : *settings.as_table())
                if (!error_)
                    read_threshold(*info, name, value, found);
        }
        return found;
    }

    void read_threshold(const RuleInfo& info, const toml::key& name, const toml::node& node,
                        std::vector<ThresholdSetting>& found)
    {
        Names known;
        for (const Threshold& threshold : info.thresholds)
            known.push_back(threshold.name);
        if (std::find(known.begin(), known.end(), name.str()) == known.end()) {
            const std::string near = nearest(name.str(), known);
            fail(name.source(), fmt::format("rule {} has no threshold '{}'", info.name, name.str()),
                 fmt::format("{}it has: {}", near.empty() ? "" : fmt::format("did you mean '{}'? ", near),
                             fmt::join(known, ", ")));
            return;
        }
        const std::optional<double> value = node.is_number() ? node.value<double>() : std::nullopt;
        if (!value || !std::isfinite(*value) || *value < 0) {
            fail(node.source(), fmt::format("'{}' must be a number, 0 or more", name.str()), "");
            return;
        }
        found.push_back({info.id, std::string(name.str()), *value, line(name.source())});
    }

    std::map<std::string, Level> levels(const toml::key& key, const toml::node& node)
    {
        std::map<std::string, Level> found;
        const toml::table* table = table_of(key, node);
        if (!table)
            return found;
        for (const auto& [rule, value] : *table) {
            const RuleInfo* info = find_rule(rule.str());
            if (!info) {
                unknown_rule(rule.source(), rule.str());
                break;
            }
            const std::string name = one_of(rule, value, {"confirmed", "likely", "risk", "info"});
            if (error_)
                break;
            found[info->id] = *parse_level(name);
        }
        return found;
    }

    const std::string& file_;
    const std::vector<RuleInfo>& rules_;
    std::optional<Error> error_;
};

}  // namespace epaudit
