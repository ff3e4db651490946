// SPDX-License-Identifier: Apache-2.0
#include "src/audit/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/audit/config_text.h"
#include "src/audit/config_values.h"

namespace epaudit {
namespace {

// Reads one file.
class Reader : ConfigValues {
public:
    Reader(const std::string& file, const std::vector<RuleInfo>& rules) : ConfigValues(file, rules) {}

    Result<Config> read(std::string_view text)
    {
        if (auto ok = check_config_text(text, file_); !ok)
            return ok.error();
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
            unknown_key(key, {"profile", "fail_on", "risks", "select", "ignore", "thresholds", "levels", "profiles",
                              "process", "suppress"});
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
                fail(name.source(), fmt::format("profile '{}' is built in", name.str()),
                     "give yours another name and a base");
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
                    profile.base = one_of(what, inner, {"production", "test"}) == "test" ? Profile::kTest
                                                                                         : Profile::kProduction;
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
            fail(node.source(), fmt::format("'{}' must be a list of tables", key.str()),
                 fmt::format("write [[{}]]", key.str()));
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
            else if (key == "unit")
                match.unit = value_of<std::string>(key, value, "a string").value_or("");
            else if (key == "container")
                match.container = value_of<std::string>(key, value, "a string").value_or("");
            else if (key == "pod")
                match.pod = value_of<std::string>(key, value, "a string").value_or("");
            else if (key == "audit")
                match.audit = value_of<bool>(key, value, "true or false").value_or(true);
            else if (key == "ignore")
                match.ignore = rule_list(key, value);
            else if (key == "levels")
                match.levels = levels(key, value);
            else
                unknown_key(key, {"exe", "comm", "unit", "container", "pod", "audit", "ignore", "levels"});
        }
        if (match.exe.empty() && match.comm.empty() && match.unit.empty() && match.container.empty() &&
            match.pod.empty())
            fail(node.source(), "this process says not which: by exe, comm, unit, container or pod",
                 "write exe = \"*/NAME\"");
        config_.processes.push_back(std::move(match));
    }

    void read_suppression(const toml::node& node)
    {
        SuppressEntry entry;
        entry.where = line(node.source());
        const std::map<std::string_view, std::string*> texts{{"rule", &entry.rule},
                                                             {"exe", &entry.exe},
                                                             {"comm", &entry.comm},
                                                             {"kind", &entry.kind},
                                                             {"local", &entry.local},
                                                             {"peer", &entry.peer},
                                                             {"reason", &entry.reason},
                                                             {"function", &entry.function},
                                                             {"fingerprint", &entry.fingerprint},
                                                             {"unit", &entry.unit},
                                                             {"container", &entry.container},
                                                             {"pod", &entry.pod}};
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
                unknown_key(key, {"rule", "exe", "comm", "unit", "container", "pod", "kind", "local", "peer",
                                  "function", "fingerprint", "reason", "expires"});
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
            fail(table.get("profile")->source(), fmt::format("unknown profile '{}'", *config_.profile),
                 did_you_mean(*config_.profile, known, fmt::format("there are: {}", fmt::join(known, ", "))));
        }
    }

    Config config_;
};

}  // namespace

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
    if (in.peek() != EOF)  // inserting nothing would count as a failure
        text << in.rdbuf();
    if (in.bad() || text.fail())
        return usage_error(fmt::format("cannot read {}: {}", path, strerror(EIO)), "");
    return parse_config(text.str(), path, rules);
}

}  // namespace epaudit
