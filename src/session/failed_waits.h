// SPDX-License-Identifier: Apache-2.0
// Calls of epoll_wait() that fail again and again: of a descriptor that was closed (EBADF), with maxevents 0 (EINVAL). They
// tell the program of nothing, so no rule has a row to look at, and a loop that makes no other call hears of nothing at
// all: that no misuse was found says little then. The books hold what went well; what failed is the rest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "src/books/snapshot.h"
#include "src/finding/inconclusive.h"

namespace epaudit {

class FailedWaits {
public:
    // `counted`: the snapshot holds the counters of the probes.
    void look(const Snapshot& books, bool counted);
    // The rows of epolls begin anew, and the counters of the probes do not.
    void begin_anew();
    // Of the kind that failed for longest, if that was a second.
    std::optional<InconclusiveReason> reason() const;

private:
    // A number that only grows, and for how long it has grown fast.
    struct Growth {
        uint64_t at = 0;
        uint64_t count = 0;
        uint64_t all = 0;
        uint64_t ns = 0;
        uint64_t grown = 0;

        void note(uint64_t time, uint64_t count, uint64_t all);
    };
    struct Worst {
        uint64_t ns = 0;
        uint64_t failed = 0;
        uint32_t owner = 0;  // of the epoll; 0: it was none
    };

    void look_at_epolls(const Snapshot& books);
    void look_at_calls(const Snapshot& books);
    void keep(const Growth& growth, uint32_t owner);

    std::map<uint64_t, Growth> epolls_;
    Growth nowhere_;             // calls that led to no epoll
    uint64_t created_ = 0;       // epolls in all, when these were counted last,
    std::vector<uint64_t> ids_;  // and those that were there
    Worst worst_;
};

}  // namespace epaudit
