// SPDX-License-Identifier: Apache-2.0
// What every observation is made of, live or of a log: the rules as they are wanted, the output files, what is told while
// it goes on, the report and the exit code. A source of events (Session, PostedSession, a test) hands it the books each
// time the rules have looked.
#pragma once

#include <memory>
#include <vector>

#include "src/report/report.h"
#include "src/session/judge.h"
#include "src/session/looks.h"
#include "src/session/options.h"
#include "src/session/outputs.h"
#include "src/session/progress.h"

namespace epaudit {

class Engine {
public:
    // Checks everything that can be wrong on the command line, and opens the output files.
    // `only`: the programs that will be watched, where that is known already; none must be left.
    // `progress`, if any, outlives the engine.
    static Result<std::unique_ptr<Engine>> open(const AuditOptions& options, Profile otherwise,
                                                const std::vector<ProcessInfo>& only = {},
                                                Progress* progress = nullptr);

    Judge& judge() { return *judge_; }
    Auditor& auditor() { return judge_->auditor(); }
    const Snapshot& last() const { return last_; }
    uint64_t epolls_seen() const { return looks_->epolls_seen(); }
    uint64_t registrations_seen() const { return looks_->registrations_seen(); }
    size_t findings() const { return looks_->judged().findings.size(); }

    // What is known at the beginning, for formats that are streams; nobody else wants it.
    bool streams() const { return outputs_->streams(); }
    Result<> begin(const Report& report) { return outputs_->begin(report); }
    // The rules have looked at these books, which become those of the look before. The error: a stream cannot be written; it
    // stays.
    Result<> looked(Snapshot&& books);
    // Adds to `report` (command, pids, hooks, seconds, notes) what the books and the rules say. Once.
    void fill(Report& report, const Sight& sight);
    // Writes the report in all formats and answers the exit code. An error when nothing could be judged.
    Result<int> conclude(Report& report);

private:
    Engine() = default;

    std::unique_ptr<Judge> judge_;
    std::unique_ptr<Outputs> outputs_;
    std::unique_ptr<Looks> looks_;
    Snapshot last_;
    Result<> told_ = Done{};
};

}  // namespace epaudit
