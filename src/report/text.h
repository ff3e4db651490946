// SPDX-License-Identifier: Apache-2.0
// The report for people: one block per finding, then what the findings rest on, then the verdict as the
// last line. At most Options::width columns (never fewer than 40).
#pragma once

#include <iosfwd>

#include "src/report/report.h"

namespace epaudit {

void write_text(const Report& report, std::ostream& out);

// One block, as write_text prints it; for `top` and tests.
void write_finding(const Finding& finding, const Options& options, std::ostream& out);

}  // namespace epaudit
