// SPDX-License-Identifier: Apache-2.0
// A loop that stood still, in a log without time stamps: how long calls took (-T) is all there is. A long call that may
// sleep, then a wait that returns at once with new input of two clients or more (EP404). With time stamps the books tell
// more (interpret_stall.cpp).
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

    // A wait returned. `at_once`: it had not to wait. `full`: there may have been more events.
    void returned(const LogPlace& at, const std::vector<PrintedEvent>& events, bool at_once, bool full);
    // A call that may sleep took so long.
    void slept(uint32_t tid, int number, uint64_t ns);
    // Any call took so long.
    void spent(uint32_t tid, uint64_t ns);
    // The log has time stamps: the books do it better.
    void leave_it()
    {
        left_ = true;
        threads_.clear();
        found_.clear();
    }
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
        std::vector<Told> told;    // by that return
        bool full = false;         // which may not have told all
        std::vector<int> touched;  // since the long call
    };
    static bool fresh(const Thread& thread, const PrintedEvent& event);
    Thread* known(uint32_t tid);

    std::unordered_map<uint32_t, Thread> threads_;
    std::map<uint64_t, LogRun> found_;  // by epoll
    bool left_ = false;
};

// The fd that data may hold; -1: none.
int fd_in_data(uint64_t data);

}  // namespace epaudit
