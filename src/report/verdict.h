// SPDX-License-Identifier: Apache-2.0
// What a report comes to. Exit code and every format are written from this one object; none of them decides by itself.
#pragma once

#include <string>
#include <vector>

#include "src/report/report.h"

namespace epaudit {

enum class State {
    kClean,         // every rule that is on looked, and nothing was found that counts
    kFindings,      // found
    kInconclusive,  // nothing at the gate, but clean may not be claimed (exit 4)
    kNotObserved,   // nothing was there to look at, or no rule could (exit 3)
    kUsage,         // no rule was on, or no process was judged (exit 2)
};

const char* state_name(State state);  // "clean", "findings", "inconclusive", "not-observed", "usage"

struct Verdict {
    State state = State::kClean;
    bool failed = false;                      // a finding is at or above the gate
    int exit = 0;                             // of the program
    std::string text;                         // one sentence, no full stop
    std::string remedy;                       // of kNotObserved and kUsage: what to do
    std::vector<InconclusiveReason> reasons;  // why clean may not be claimed, also beside findings
    // What every format shows (JSON also holds the rest), worst first. They point into the report.
    std::vector<const Finding*> shown;
    std::vector<const Finding*> known;  // suppressed ones of the same levels

    std::string words() const { return remedy.empty() ? text : text + ": " + remedy; }
    bool sound() const { return state == State::kClean || state == State::kFindings; }
};

Verdict verdict_of(const Report& report);

// At or above the gate.
bool at_gate(const Report& report, const Finding& finding);
// Harm always, what fails the gate always, the rest only when asked for.
bool is_shown(const Report& report, const Finding& finding);
// "3 risks, 1 info" of the levels from `highest` down to `lowest`; empty when there are none.
std::string levels_text(const std::vector<const Finding*>& findings);
// "14 rules need more than this log holds, 6 see less: --coverage"
std::string log_coverage_text(const Report& report);
// "1 risk, 1 info" that are not shown.
std::string hidden_text(const Report& report);
// "EP201, EP202 (--ignore); EP401 (epaudit.toml:3)": rules that are off, by what turned them off; empty: none.
std::string rules_off_text(const Report& report);

}  // namespace epaudit
