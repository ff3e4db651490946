// SPDX-License-Identifier: Apache-2.0
// What a project says about findings: which count, how much at most, which are known. Applied to what the
// auditor found, whatever rule or source it came from.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/audit/baseline.h"
#include "src/audit/config.h"
#include "src/books/snapshot.h"
#include "src/finding/policy_remark.h"

namespace epaudit {

struct Judged {
    std::vector<Finding> findings;    // that count
    std::vector<Finding> suppressed;  // known, with the reason
};

class Policy {
public:
    Policy() = default;
    // `today`: "2026-11-21", decides what has expired.
    Policy(Config config, std::optional<Baseline> baseline, const std::string& today);

    const Config& config() const { return config_; }
    // May be asked again and again; remembers which entries were of use.
    Judged judge(std::vector<Finding> found);
    // The [[process]] entry that leaves this program out, or all the rules that are on; empty: it is judged.
    std::string left_out_by(const ProcessInfo& program, const std::vector<RuleInfo>& on) const;
    // Entries that were of no use, and what others did to findings. Those of rules that were off or blind are not blamed.
    std::vector<PolicyRemark> remarks(const std::vector<RuleCoverage>& coverage) const;

private:
    struct Known {
        SuppressEntry entry;
        bool expired = false;
        bool matched = false;
    };

    bool is_dropped(const Finding& finding);
    void lower(Finding& finding);
    std::optional<Suppression> suppression_of(const Finding& finding);

    Config config_;
    std::vector<Known> known_;
    std::optional<Baseline> baseline_;
    // Where, and what it did to findings of the newest judge().
    std::set<std::pair<std::string, std::string>> effects_;
};

std::string today();

}  // namespace epaudit
