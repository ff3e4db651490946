// SPDX-License-Identifier: Apache-2.0
// By what a finding is known again: in the next run, on another machine, later in the same observation.
#pragma once

#include <set>
#include <string>

#include "src/finding/finding.h"

namespace epaudit {

// Identity of a finding across runs and machines: 16 hex digits of rule id, name of the executable, fd kind,
// trigger mode and, where a stack tells it, the function (naming_frame() in place.h). Never of pids, fd numbers, times or lines.
std::string fingerprint(const Finding& finding);
// The same without the function: what it is before a stack has come. Both alike: the function is not known.
std::string placeless_fingerprint(const Finding& finding);

// The executable without its folder, the same after an upgrade replaced it.
std::string program_name(const Finding& finding);

// What of the findings was told while the observation goes on: each once at each level.
class ToldFindings {
public:
    // False: it was told at this level already.
    bool tell(const Finding& finding);
    size_t size() const { return told_.size() + before_.size(); }
    // Under which fingerprint the one of tell() was told before, when its stack had not come yet; empty: it was not.
    const std::string& replaced() const { return replaced_; }

private:
    static constexpr size_t kMost = 10000;  // what nobody has asked about since so many others is forgotten

    std::set<std::string> told_, before_;
    std::string replaced_;
};

}  // namespace epaudit
