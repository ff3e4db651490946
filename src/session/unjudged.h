// SPDX-License-Identifier: Apache-2.0
// Files of a kind whose input nobody can see from outside: a POSIX message queue, a device. Reported thousands of times a
// second while the program makes no call on them that the probes know, they are a spin, or taken in a way that is not watched
// (ioctl(), shared memory). Which of both cannot be said, and so not that nothing is wrong either.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "src/books/snapshot.h"
#include "src/finding/inconclusive.h"

namespace epaudit {

class Unjudged {
public:
    // What a descriptor of a process leads to, as /proc shows it; empty: it is gone.
    using LeadsTo = std::function<std::string(uint32_t pid, int fd)>;
    explicit Unjudged(LeadsTo leads_to);

    void look(const Snapshot& books);
    // What was counted of files is not known any more.
    void begin_anew() { seen_.clear(); }
    // Of the one that was seen like this for longest, if that was a second.
    std::optional<InconclusiveReason> reason() const;

private:
    struct Seen {
        uint64_t at = 0;          // ns
        uint32_t deliveries = 0;  // until then
        uint32_t calls = 0;       // until then
        uint64_t ns = 0;          // for which it was reported like this, in one stretch
        uint64_t reported = 0;
        std::optional<std::string> path{};  // asked for once: that reads the process's map of memory
    };
    struct Worst {
        uint64_t ns = 0;
        uint64_t reported = 0;
        int fd = -1;
        uint32_t pid = 0;
        std::string path{};
    };

    void measure(const Snapshot& books, const Entry& entry, Seen& seen);

    LeadsTo leads_to_;
    std::map<std::pair<uint64_t, uint64_t>, Seen> seen_;  // by epoll and file
    Worst worst_;
};

// By /proc/PID/fd; empty also where the process has mapped it, and may take what is there without a call.
std::string path_of_descriptor(uint32_t pid, int fd);

}  // namespace epaudit
