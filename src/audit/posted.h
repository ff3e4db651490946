// SPDX-License-Identifier: Apache-2.0
// Audits postings that were made elsewhere (a log, a recording): keeps the books, and looks at them as often as
// live capture sweeps the kernel's, by the clock of the postings. Rules cannot tell the difference, except by
// what Sight says is missing.
#pragma once

#include <cstdint>
#include <functional>

#include "src/audit/auditor.h"
#include "src/books/tables.h"

namespace epaudit {

class PostedAudit {
public:
    using Looked = std::function<void(const Snapshot&)>;

    // `looked` is called after each audit.
    explicit PostedAudit(Auditor& auditor, Looked looked = {}) : auditor_(auditor), looked_(std::move(looked)) {}

    Tables& tables() { return tables_; }
    // In the order of their times. The audits that fall due before it happen first.
    void post(const posting& p)
    {
        if (p.time >= due_)
            pass(p.time);
        tables_.apply(p);
        time_ = p.time;
    }
    // Time goes on though nothing happened.
    void pass(uint64_t now);
    // One audit now, due or not. `runs`: what the text of the log shows by itself.
    void look(std::vector<LogRun> runs = {});

    uint64_t began() const { return began_; }
    uint64_t time() const { return time_; }
    uint64_t registrations_seen() const { return registrations_seen_; }
    uint64_t epolls_seen() const { return epolls_seen_; }

private:
    void look_at(uint64_t now, std::vector<LogRun> runs = {});
    uint64_t interval() const;

    Auditor& auditor_;
    Looked looked_;
    Tables tables_;
    uint64_t began_ = 0;
    uint64_t time_ = 0;
    uint64_t due_ = 0;
    uint64_t registrations_seen_ = 0;
    uint64_t epolls_seen_ = 0;
};

}  // namespace epaudit
