// SPDX-License-Identifier: Apache-2.0
// A loop that stood still, by how long calls took (-T): a long call that may sleep, then a wait that returns at once with
// new input of two clients or more (EP404). With time stamps and pids the books tell more (interpret_stall.cpp), but not
// of a log that follows one thread, nor of one that does not show the beginning of its files.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/books/log_run.h"
#include "src/strace/values.h"

namespace epaudit {

// An epoll and who waits on it.
struct LogPlace {
    uint64_t epoll = 0;  // identity
    int epfd = -1;
    uint32_t pid = 0;
    uint32_t tid = 0;
    bool sole = true;  // no other thread ever waited on it
};

class LogStalls {
public:
    enum class Use { kDrained, kInput, kOther };

    // How a wait returned. `at_once`: it had not to wait. `full`: there may have been more events.
    struct Return {
        bool at_once = false;
        bool full = false;
        uint64_t time = 0;  // 0: the log has no time stamps
        uint64_t took = 0;
    };
    void returned(const LogPlace& at, const std::vector<PrintedEvent>& events, const Return& how);
    // A call that may sleep took so long.
    void slept(uint32_t tid, int number, uint64_t ns);
    // Any call took so long.
    void spent(uint32_t tid, uint64_t ns);
    // A call on this descriptor.
    void used(uint32_t tid, int fd, Use use);

    const std::map<uint64_t, LogRun>& found() const { return found_; }

private:
    struct Told {
        uint64_t data = 0;
        bool drained = false;
    };
    struct Thread {
        uint64_t epoll = 0;  // that it polls
        int call = -1;       // the longest since its wait returned
        uint64_t ns = 0;
        uint64_t spent = 0;        // in all calls since then
        uint64_t returned = 0;     // when that was
        std::vector<Told> told;    // by that return
        bool full = false;         // which may not have told all
        std::vector<int> touched;  // since the long call
    };
    static bool fresh(const Thread& thread, const PrintedEvent& event);
    Thread* known(uint32_t tid);

    std::unordered_map<uint32_t, Thread> threads_;
    std::map<uint64_t, LogRun> found_;  // by epoll
};

// The fd that data may hold; -1: none.
int fd_in_data(uint64_t data);

}  // namespace epaudit
