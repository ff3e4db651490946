// SPDX-License-Identifier: Apache-2.0
// What the text of a log proves by itself (src/books/log_run.h), said by the rule that it belongs to.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/audit/rule.h"

namespace epaudit {

// Adds the findings of this rule. Its threshold "returns" decides, whatever the length of the log.
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
