// SPDX-License-Identifier: Apache-2.0
// What the text of a log proves by itself (src/books/log_run.h), said by the rule that it belongs to.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/audit/rule.h"

namespace epaudit {

// Of the rules that judge such runs: what decides about a log, beside kSpinReturns of the spins.
inline constexpr Threshold kLogReturns{"returns",
                                       {100, 100, Unit::kCount},
                                       "in a log without more to go by: returns of epoll_wait in a row that show it",
                                       {"short rows in a busy log are accused", "short logs show nothing"}};
inline constexpr Threshold kStalls{"stalls",
                                   {3, 3, Unit::kCount},
                                   "such stalls in the window, to be likely",
                                   {"one stall under load is accused", "rare stalls are missed"}};
inline constexpr Threshold kGhostExistsS{
    "exists_s",
    {1, 1, Unit::kSeconds},
    "seconds the registration must outlive its descriptor",
    {"a descriptor that is closed late, in order, is accused", "ghosts that do not live long are missed"},
    kPatience};
inline constexpr Threshold kGhostToldLikely{
    "told_likely",
    {2, 2, Unit::kCount},
    "events delivered for the closed number, to be likely",
    {"one event on its way at the close is accused", "seldom used ghosts are missed"}};

// So many returns make it a finding, in the settings of the rule that it belongs to.
double log_run_needs(const LogRun& run, const Settings& settings);

// Whether it is one: long enough, or one of several that make up as much twice, where nothing but a fault explains each.
bool is_finding(const LogRun& run, const Settings& settings);

// Adds the findings of this rule. is_finding() decides, whatever the length of the log.
// `advice`: how such a run is mended.
using LogRunAdvice = std::function<std::string(const LogRun&)>;
void judge_log_runs(const RuleInfo& info, const Snapshot& books, const Settings& settings, const LogRunAdvice& advice,
                    std::vector<Finding>& out);

// "fd 11", "data 0x55d0..." and how it is known.
std::string log_run_subject(const LogRun& run);
std::string log_run_ground(const LogRun& run);
// The rule that such a run belongs to; empty for none.
std::string log_run_rule(const LogRun& run);

}  // namespace epaudit
