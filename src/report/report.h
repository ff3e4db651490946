// SPDX-License-Identifier: Apache-2.0
// What every output format prints: the result of one observation, as plain data. Commands fill it in, the
// writers (formats.h) only read it and decide nothing but layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/finding/coverage.h"
#include "src/finding/finding.h"
#include "src/finding/history.h"
#include "src/finding/inconclusive.h"
#include "src/finding/policy_remark.h"
#include "src/finding/rule_info.h"

namespace epaudit {

// Numbers by name, in the order in which they are printed.
using Counts = std::vector<std::pair<std::string, uint64_t>>;

// What watching costs, in cores: 0.01 is 1 % of one CPU.
struct WatchingCost {
    double probes = 0;      // in the kernel, in everybody's system calls
    double own = 0;         // epaudit itself
    double watched = 0;     // the watched processes
    double measured_s = 0;  // of the observation, for which `probes` and `watched` were measured

    double share() const { return watched > 0 ? (probes + own) / watched : 0; }
};

// What watching may cost (--budget), and what that took.
struct WatchingBudget {
    double share = 0;           // of the CPU time of what is watched
    double attached_share = 1;  // of the time, the probes were attached
    double longest_gap_s = 0;   // in which they were not
};

struct Observation {
    std::string hooks;         // "tracepoint"; "strace", "recording" for what was not watched live
    std::string hooks_reason;  // why not the better set; empty when it is in use
    std::string profile;       // "test", "production"
    double seconds = 0;
    uint64_t postings = 0;
    Counts calls;  // postings by kind
    Work work;
    Counts lost;  // by reason: "files_full" (names: loss_text() in words.h); zeros are only printed by JSON
    std::vector<InconclusiveReason> inconclusive;  // other reasons why clean may not be claimed
    std::vector<std::string> notes;                // anything else that limits what the report means
    double tool_cpu_seconds = -1;                  // epaudit's own; < 0: not measured
    std::optional<WatchingCost> cost;              // nothing: not measured
    std::optional<WatchingBudget> budget;          // nothing: there was none
    uint64_t registrations = 0;                    // watched
    uint64_t epolls = 0;                           // watched

    bool complete() const;  // nothing was lost
};

// The command of `run`. Exactly one of the two numbers counts.
struct Child {
    bool ran = true;  // false: it could not be started
    int exit_status = 0;
    int signal = 0;  // 0: it exited
};

// What the text report shows. JSON always holds everything.
struct Options {
    bool coverage = false;  // which rules saw less and why, one by one
    bool risks = false;     // levels risk and info, too
    bool colour = false;
    unsigned width = 100;
    std::string directory;  // paths below it are shown relative to it
};

// A rule that did not look, and what turned it off: "--ignore", "epaudit.toml:3".
struct RuleOff {
    std::string rule;  // EP201
    std::string name;  // busy-epollout
    std::string by;
};

struct Report {
    std::string version;
    std::vector<std::string> command;  // empty for attach
    std::vector<uint32_t> pids;
    std::string selection;  // "--comm nginx": they were chosen so; empty: by number
    Observation observation;
    std::optional<Child> child;
    std::string config;           // the configuration file in force; empty: none
    std::vector<RuleInfo> rules;  // those that were on
    std::vector<RuleOff> rules_off;
    std::vector<std::string>
        unjudged;              // programs that own an epoll and are not audited: "healthcheck (epaudit.toml:9)"
    bool none_judged = false;  // there are no others
    std::vector<RuleCoverage> coverage;
    std::vector<Finding> findings;  // worst first
    History history;
    std::vector<Finding> suppressed;             // known, with the reason; they never fail the gate
    std::vector<PolicyRemark> remarks;           // entries of the policy that want attention
    std::optional<Level> gate = Level::kLikely;  // none: --fail-on never
    int64_t started = 0;                         // seconds since 1970 at which the observation began; 0: not known
    Options options;
};

}  // namespace epaudit
