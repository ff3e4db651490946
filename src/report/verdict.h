// SPDX-License-Identifier: Apache-2.0
// The last word of a report, in one sentence.
#pragma once

#include <string>

#include "src/report/report.h"

namespace epaudit {

// "2 findings: 1 confirmed, 1 likely", or what can be claimed when there is none.
std::string verdict_text(const Report& report);
// "3 risks, 1 info" of the levels from `highest` down to `lowest`; empty when there are none.
std::string levels_text(const Report& report, Level highest, Level lowest);
bool has_harm(const Report& report);  // a finding that is likely or confirmed

}  // namespace epaudit
