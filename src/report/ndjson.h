// SPDX-License-Identifier: Apache-2.0
// Newline-delimited JSON: one object per line, told apart by "type", written while the observation goes on.
//
//   begin    schema, version, target, observation so far (hooks, profile), rules' coverage
//   sample   what all loops did since the previous one
//   finding  as in the JSON report; again when its level rises, and when its stack comes late: `replaces` is the
//            fingerprint that it had before
//   end      observation, coverage, child, and fingerprints of the findings that stand
#pragma once

#include <string>

#include "src/evidence/fingerprint.h"
#include "src/report/report.h"

namespace epaudit {

// Makes the lines; whoever asks for them writes them. Each ends in a newline.
class NdjsonStream {
public:
    std::string begin(const Report& report);
    std::string sample(const RateSample& sample);
    // Nothing when this finding was told at this level already.
    std::string finding(const Finding& finding, const std::string& directory);
    std::string end(const Report& report);

private:
    ToldFindings told_;
    bool begun_ = false;
    bool sampled_ = false;
};

}  // namespace epaudit
