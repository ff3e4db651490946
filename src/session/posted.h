// SPDX-License-Identifier: Apache-2.0
// What `strace` and `replay` share: postings that were made elsewhere are judged, and reported as live ones are.
#pragma once

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/books/tables.h"
#include "src/report/report.h"
#include "src/session/engine.h"
#include "src/session/options.h"

namespace epaudit {

// Set by SIGINT and SIGTERM once a PostedSession is open: in "strace ... | epaudit strace -" Ctrl-C reaches both, and
// the report of what came so far is wanted.
extern volatile sig_atomic_t interrupted;

class PostedSession {
public:
    static Result<std::unique_ptr<PostedSession>> open(const AuditOptions& options, Profile otherwise);

    Judge& judge() { return engine_->judge(); }
    Auditor& auditor() { return engine_->auditor(); }
    // What is known at the beginning, for formats that are streams. Without `sight` coverage is not: what a log can show
    // is known at its end.
    Result<> begin(Report report, const std::optional<Sight>& sight = {});
    // The rules have looked at these books.
    void looked(const Snapshot& books);
    const Snapshot& last() const { return engine_->last(); }
    uint64_t epolls_seen() const { return engine_->epolls_seen(); }

    // Adds to `report` (command, pids, hooks, seconds, notes, what the source lost) what the rules say, writes it, and
    // answers the exit code.
    Result<int> report(Report report, const Sight& sight);

private:
    PostedSession() = default;

    std::unique_ptr<Engine> engine_;
};

// The counts of an account as JSON lines, for tests that compare sources (--books-file). Appends; no path, no file.
Result<> write_account(const std::string& path, const char* source, const std::vector<file_totals>& files,
                       const std::vector<registration_totals>& registrations);

}  // namespace epaudit
