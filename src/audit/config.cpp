// SPDX-License-Identifier: Apache-2.0
#include "src/audit/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "src/audit/nearest.h"

namespace epaudit {
namespace {

using Names = std::vector<std::string>;

// Reads one file. The first error is kept and ends the reading.
class Reader {
public:
    Reader(const std::string& file, const std::vector<RuleInfo>& rules) : file_(file), rules_(rules) {}

    Result<Config> read(std::string_view text)
    {
        const toml::parse_result parsed = toml::parse(text, std::string_view(file_));
        if (!parsed)
            return usage_error(fmt::format("{}: {}", position(parsed.error().source()), parsed.error().description()),
                               "this is not TOML: https://toml.io has its rules on one page");
        config_.file = file_;
        for (const auto& [key, value] : parsed.table())
            if (!error_)
                read_top(key, value);
        if (!error_)
            check_profile(parsed.table());
        if (error_)
            return *error_;
        return std::move(config_);
    }

private:
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
        const std::string near = nearest(key.str(), known);
        fail(key.source(), fmt::format("unknown key '{}'", key.str()),
             near.empty() ? fmt::format("known here: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
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
            const std::string near = nearest(*text, choices);
            fail(node.source(), fmt::format("'{}' is no value of '{}'", *text, key.str()),
                 near.empty() ? fmt::format("choose from: {}", fmt::join(choices, ", ")) : fmt::format("did you mean '{}'?", near));
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
        const std::string near = nearest(name, known);
        fail(at, fmt::format("unknown rule '{}'", name),
             near.empty() ? "`epaudit rules` lists them" : fmt::format("did you mean '{}'?", near));
    }

    // An id, a name or a family such as EP2.
    bool check_rules(const toml::source_region& at, const std::string& name)
    {
        const bool family = name.size() >= 3 && name.starts_with("EP") &&
                            std::any_of(rules_.begin(), rules_.end(),
                                        [&](const RuleInfo& info) { return std::string_view(info.id).starts_with(name); });
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

    void read_threshold(const RuleInfo& info, const toml::key& name, const toml::node& node, std::vector<ThresholdSetting>& found)
    {
        Names known;
        for (const Threshold& threshold : info.thresholds)
            known.push_back(threshold.name);
        if (std::find(known.begin(), known.end(), name.str()) == known.end()) {
            const std::string near = nearest(name.str(), known);
            fail(name.source(), fmt::format("rule {} has no threshold '{}'", info.name, name.str()),
                 fmt::format("{}it has: {}", near.empty() ? "" : fmt::format("did you mean '{}'? ", near), fmt::join(known, ", ")));
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

    void read_top(const toml::key& key, const toml::node& node)
    {
        const std::string_view name = key.str();
        config_.where[std::string(name)] = line(key.source());
        if (name == "profile")
            config_.profile = value_of<std::string>(key, node, "a string");
        else if (name == "fail_on")
            config_.fail_on = one_of(key, node, {"confirmed", "likely", "risk", "never"});
        else if (name == "risks")
            config_.risks = value_of<bool>(key, node, "true or false");
        else if (name == "select")
            config_.select = rule_list(key, node);
        else if (name == "ignore")
            config_.ignore = rule_list(key, node);
        else if (name == "thresholds")
            config_.thresholds = thresholds(key, node);
        else if (name == "levels")
            config_.levels = levels(key, node);
        else if (name == "profiles")
            read_profiles(key, node);
        else if (name == "process" || name == "suppress")
            read_entries(key, node);
        else
            unknown_key(key, {"profile", "fail_on", "risks", "select", "ignore", "thresholds", "levels", "profiles", "process",
                              "suppress"});
    }

    void read_profiles(const toml::key& key, const toml::node& node)
    {
        const toml::table* table = table_of(key, node);
        if (!table)
            return;
        for (const auto& [name, value] : *table) {
            if (error_)
                return;
            if (name == "production" || name == "test") {
                fail(name.source(), fmt::format("profile '{}' is built in", name.str()), "give yours another name and a base");
                return;
            }
            const toml::table* settings = table_of(name, value);
            if (!settings)
                return;
            ProfileConfig& profile = config_.profiles[std::string(name.str())];
            for (const auto& [what, inner] : *settings) {
                if (error_)
                    return;
                if (what == "base")
                    profile.base = one_of(what, inner, {"production", "test"}) == "test" ? Profile::kTest : Profile::kProduction;
                else if (what == "thresholds")
                    profile.thresholds = thresholds(what, inner);
                else
                    unknown_key(what, {"base", "thresholds"});
            }
        }
    }

    void read_entries(const toml::key& key, const toml::node& node)
    {
        if (!node.is_array_of_tables()) {
            fail(node.source(), fmt::format("'{}' must be a list of tables", key.str()), fmt::format("write [[{}]]", key.str()));
            return;
        }
        for (const toml::node& one : *node.as_array()) {
            if (error_)
                return;
            if (key == "process")
                read_process(one);
            else
                read_suppression(one);
        }
    }

    void read_process(const toml::node& node)
    {
        ProcessMatch match;
        match.where = line(node.source());
        for (const auto& [key, value] : *node.as_table()) {
            if (error_)
                return;
            if (key == "exe")
                match.exe = value_of<std::string>(key, value, "a string").value_or("");
            else if (key == "comm")
                match.comm = value_of<std::string>(key, value, "a string").value_or("");
            else if (key == "audit")
                match.audit = value_of<bool>(key, value, "true or false").value_or(true);
            else if (key == "ignore")
                match.ignore = rule_list(key, value);
            else if (key == "levels")
                match.levels = levels(key, value);
            else
                unknown_key(key, {"exe", "comm", "audit", "ignore", "levels"});
        }
        if (match.exe.empty() && match.comm.empty())
            fail(node.source(), "this process names neither 'exe' nor 'comm'", "write exe = \"*/NAME\"");
        config_.processes.push_back(std::move(match));
    }

    void read_suppression(const toml::node& node)
    {
        SuppressEntry entry;
        entry.where = line(node.source());
        const std::map<std::string_view, std::string*> texts{
            {"rule", &entry.rule},   {"exe", &entry.exe},           {"comm", &entry.comm},
            {"kind", &entry.kind},   {"local", &entry.local},       {"peer", &entry.peer},
            {"reason", &entry.reason}, {"function", &entry.function}, {"fingerprint", &entry.fingerprint}};
        for (const auto& [key, value] : *node.as_table()) {
            if (error_)
                return;
            if (auto at = texts.find(key.str()); at != texts.end()) {
                *at->second = value_of<std::string>(key, value, "a string").value_or("");
                if (key == "rule" && !error_)
                    check_rules(value.source(), entry.rule);
            } else if (key == "expires") {
                if (const auto date = value_of<toml::date>(key, value, "a date without quotes: 2027-01-31"))
                    entry.expires = fmt::format("{:04}-{:02}-{:02}", date->year, date->month, date->day);
            } else {
                unknown_key(key, {"rule", "exe", "comm", "kind", "local", "peer", "function", "fingerprint", "reason", "expires"});
            }
        }
        if (entry.rule.empty())
            fail(node.source(), "this suppression names no rule", "write rule = \"EP301\"");
        if (entry.reason.find_first_not_of(" \t\r\n") == std::string::npos)
            fail(node.source(), "this suppression has no reason", "write reason = \"why it is accepted\"");
        config_.suppressions.push_back(std::move(entry));
    }

    void check_profile(const toml::table& table)
    {
        if (!config_.profile)
            return;
        Names known{"production", "test"};
        for (const auto& [name, profile] : config_.profiles)
            known.push_back(name);
        if (std::find(known.begin(), known.end(), *config_.profile) == known.end()) {
            const std::string near = nearest(*config_.profile, known);
            fail(table.get("profile")->source(), fmt::format("unknown profile '{}'", *config_.profile),
                 near.empty() ? fmt::format("there are: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
        }
    }

    const std::string& file_;
    const std::vector<RuleInfo>& rules_;
    Config config_;
    std::optional<Error> error_;
};

}  // namespace

std::vector<RuleInfo> catalogue()
{
    std::vector<RuleInfo> infos;
    for (const auto& rule : make_rules())
        infos.push_back(rule->info());
    return infos;
}

Result<Config> parse_config(std::string_view text, const std::string& file, const std::vector<RuleInfo>& rules)
{
    return Reader(file, rules).read(text);
}

Result<Config> read_config(const std::string& path, const std::vector<RuleInfo>& rules)
{
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        return usage_error(fmt::format("cannot read {}: it is a folder", path), "");
    std::ifstream in(path, std::ios::binary);
    if (!in)
        return usage_error(fmt::format("cannot read {}: {}", path, strerror(errno)), "");
    std::ostringstream text;
    if (in.peek() != EOF) // inserting nothing would count as a failure
        text << in.rdbuf();
    if (in.bad() || text.fail())
        return usage_error(fmt::format("cannot read {}: {}", path, strerror(EIO)), "");
    return parse_config(text.str(), path, rules);
}

}  // namespace epaudit
