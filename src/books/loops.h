// SPDX-License-Identifier: Apache-2.0
// What rules ask of each entry about the threads that wait on its epoll. A server may have 20,000 connections that hang and
// 1,000 threads, so the threads are gone through once, and not once for each connection.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bpf/probes.h"

namespace epaudit {

// The threads that waited last on one epoll.
struct Loop {
    uint32_t threads = 0;
    uint32_t waiting = 0;       // of them, now
    bool blocked = false;       // one waits and will sleep
    bool timed = false;         // one waits, and not without end
    bool awake = false;         // one does not sleep in its wait
    uint64_t awake_at = 0;      // when the newest of those last waited or returned
    bool polled = false;        // one has waited since the observation began
    bool guessed = false;       // one has not, and was taken for the loop
    uint32_t process = 0;       // of one of them
    bool of_processes = false;  // there are threads of another one as well
};

class Loops {
public:
    explicit Loops(const std::map<uint32_t, thread_row>& threads);

    // Of an epoll on which nobody waited: no threads.
    const Loop& of(uint64_t epoll) const;
    // One of its threads is stopped.
    bool stopped(uint32_t tgid) const { return stopped_.count(tgid) != 0; }
    // Threads that are in a call on this file, and not waiting.
    const std::vector<uint32_t>& in_call(uint64_t file) const;

private:
    std::unordered_map<uint64_t, Loop> loops_;  // by epoll
    std::unordered_set<uint32_t> stopped_;      // processes
    std::unordered_map<uint64_t, std::vector<uint32_t>> in_call_;
};

}  // namespace epaudit
