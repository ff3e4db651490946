// SPDX-License-Identifier: Apache-2.0
// epaudit.toml as plain data. Everything is checked while it is read, so that each error has its file, line and
// column; nothing here knows the command line.
//
//   profile = "ci"                     # production, test, or one of [profiles]
//   fail_on = "likely"                 # confirmed, likely, risk, never
//   risks = true
//   select = ["EP1", "busy-epollout"]  # only these
//   ignore = ["EP401"]                 # all but these
//   [thresholds]
//   busy-epollout.per_s = 200
//   [levels]                           # never told at a higher level
//   thundering-herd = "risk"
//   [profiles.ci]
//   base = "test"
//   thresholds.close-wait-leak.seconds = 10
//   [[process]]                        # what of it is audited, by name
//   exe = "*/healthcheck"              # and, or: comm, unit, container, pod
//   audit = false                      # or: ignore = [...], levels.RULE = "..."
//   [[suppress]]                       # known and accepted
//   rule = "EP301"
//   exe = "haproxy"                    # and, or: comm, unit, container, pod, kind, local, peer, function, fingerprint
//   reason = "fixed in 2.9"
//   expires = 2027-01-31
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/audit/rule.h"
#include "src/support/result.h"

namespace epaudit {

struct ThresholdSetting {
    std::string rule;  // id
    std::string name;
    double value = 0;
    std::string where;  // "epaudit.toml:12"
};

struct ProfileConfig {
    Profile base = Profile::kProduction;
    std::vector<ThresholdSetting> thresholds;
};

// Patterns as the shell's; one without a slash is compared with the last part of exe. Empty ones match all.
struct ProcessMatch {
    std::string exe;
    std::string comm;
    std::string unit;
    std::string container;  // its name or its id
    std::string pod;        // NAMESPACE/NAME
    bool audit = true;
    std::vector<std::string> ignore;
    std::map<std::string, Level> levels;  // by rule id
    std::string where;
};

struct SuppressEntry {
    std::string rule;  // id, name or family
    std::string exe;
    std::string comm;
    std::string kind;
    std::string local;
    std::string peer;
    std::string function;  // of any frame
    std::string unit;
    std::string container;
    std::string pod;
    std::string fingerprint;
    std::string reason;
    std::string expires;  // "2027-01-31": the last day it holds; empty: for ever
    std::string where;
};

struct Config {
    std::string file;  // empty: there is none
    std::optional<std::string> profile;
    std::optional<std::string> fail_on;
    std::optional<bool> risks;
    std::vector<std::string> select;
    std::vector<std::string> ignore;
    std::vector<ThresholdSetting> thresholds;
    std::map<std::string, Level> levels;  // by rule id
    std::map<std::string, ProfileConfig> profiles;
    std::vector<ProcessMatch> processes;
    std::vector<SuppressEntry> suppressions;
    std::map<std::string, std::string> where;  // of single keys: "profile" -> "epaudit.toml:1"
};

// `file` is only named in errors. `rules` are those that may be named.
Result<Config> parse_config(std::string_view text, const std::string& file, const std::vector<RuleInfo>& rules);
Result<Config> read_config(const std::string& path, const std::vector<RuleInfo>& rules);

}  // namespace epaudit
