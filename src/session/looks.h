// SPDX-License-Identifier: Apache-2.0
// What every command does each time the rules have looked, whatever the postings come from: findings are announced,
// streams are told, history and counts are kept; and what a report says of all that.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "src/audit/historian.h"
#include "src/evidence/fingerprint.h"
#include "src/session/judge.h"
#include "src/session/options.h"
#include "src/session/outputs.h"
#include "src/session/progress.h"

namespace epaudit {

class Looks {
public:
    // All three outlive it. Without `progress` nothing else writes to the terminal.
    Looks(Judge& judge, Outputs& outputs, bool quiet, Progress* progress = nullptr)
        : judge_(judge), outputs_(outputs), quiet_(quiet), progress_(progress)
    {
    }

    // The error: a stream cannot be written.
    Result<> after(const Snapshot& books);
    // Everything a report says about these books, rules and findings.
    void fill(Report& report, const Snapshot& last, const Sight& sight);

    const Judged& judged() const { return judged_; }  // as of the last look
    uint64_t registrations_seen() const { return registrations_seen_; }
    uint64_t epolls_seen() const { return epolls_seen_; }

private:
    void meet(const Snapshot& books);
    void part_with(const ProcessInfo& program);
    void announce(const Snapshot& books);
    Result<> tell();

    Judge& judge_;
    Outputs& outputs_;
    bool quiet_;
    Progress* progress_;
    Judged judged_;
    Historian historian_;
    RateSample sample_;  // not yet told to a stream
    uint64_t registrations_seen_ = 0;
    uint64_t epolls_seen_ = 0;
    ToldFindings announced_;
    std::map<uint32_t, ProcessInfo> programs_;  // that own an epoll now
    bool somebody_unknown_ = false;             // owned one, too
    // Of those that owned one before: over weeks there are too many of them to be kept.
    std::set<std::string> left_out_;  // by the configuration, and by what of it
    bool judged_one_ = false;
};

}  // namespace epaudit
