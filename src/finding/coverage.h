// SPDX-License-Identifier: Apache-2.0
// What a source of events can show, and what that leaves of a rule.
#pragma once

#include <string>

namespace epaudit {

enum class Status { kAvailable, kDegraded, kUnavailable };

struct Coverage {
    Status status = Status::kAvailable;
    std::string reason;
};

// The same with the rule's names, for reports.
struct RuleCoverage {
    std::string rule;  // EP201
    std::string name;  // busy-epollout
    Status status = Status::kAvailable;
    std::string reason;
};

// What the capture in use can see; decides coverage.
struct Sight {
    bool kernel_state = true;  // unread bytes, backlog, socket state
    bool readiness = true;     // who becomes ready, when
    bool wakeups = true;       // who is woken from epoll_wait
    enum class Times { kFine, kSeconds, kNone };
    Times times = Times::kFine;  // kSeconds: whole ones; kNone: only the order of things is known
    bool durations = true;       // when a call ended
    bool all_threads = true;     // every thread of the program is watched
    bool calls = true;           // what it does about its events: reads, writes, accepts
    bool accepts = true;         // accept among them
    std::string unseen;          // why what the program did about its events cannot be judged; empty: it can
    std::string hooks;           // "tracepoint"
    std::string why;             // reason for what is missing
    std::string choice;          // why not the better hook set, empty when it is in use
};

}  // namespace epaudit
