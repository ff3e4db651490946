// SPDX-License-Identifier: Apache-2.0
// Made-up reports with everything a format may have to show: made-up frames, foreign text, lost data.
#pragma once

#include "src/report/report.h"

namespace epaudit {

Report clean_report();       // two rules looked, nothing found
Report spinning_report();    // EP201 confirmed, with stacks, source, timeline; one risk
Report stalled_report();     // EP101 likely, two threads, no stacks; one rule could not see
Report incomplete_report();  // as stalled, with lost data
Report hostile_report();     // names and paths chosen to break out of each format
Report suppressed_report();  // what was found is known

}  // namespace epaudit
