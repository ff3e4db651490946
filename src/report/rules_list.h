// SPDX-License-Identifier: Apache-2.0
// What `epaudit rules` prints: every rule, and whether it can see here.
#pragma once

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "src/report/report.h"

namespace epaudit {

struct RuleListing {
    RuleInfo info;
    Coverage coverage;
};

void write_rules_text(const std::vector<RuleListing>& rules, const Options& options, std::ostream& out);
// All that a rule says of its numbers, for whatever lists them.
nlohmann::ordered_json thresholds_json(const RuleInfo& info);
void write_rules_json(const std::vector<RuleListing>& rules, std::ostream& out);

}  // namespace epaudit
