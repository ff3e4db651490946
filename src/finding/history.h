// SPDX-License-Identifier: Apache-2.0
// How an observation went over time: rates, the loops' histograms, waits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/books/snapshot.h"

namespace epaudit {

// What all loops did from the previous sample to this one.
struct RateSample {
    double t = 0;          // seconds since observation began, at its end
    double seconds = 0;    // that it covers
    uint64_t returns = 0;  // of epoll_wait, with at least one event
    uint64_t futile = 0;   // of these: nothing had progressed
    uint64_t events = 0;
    uint64_t timeouts = 0;
};

// One epoll instance, over the whole observation. Bucket n of a histogram counts values v with
// 2^n <= v < 2^(n+1), bucket 0 also 0, the last one also all that is larger (ledger_bucket()).
struct LoopStats {
    uint32_t pid = 0;
    std::string comm;
    int fd = -1;
    epoll_row row{};
};

// A stay in epoll_wait. Only those that were seen at a look: a sample, not all of them.
struct WaitSlice {
    uint32_t pid = 0;
    uint32_t tid = 0;
    int epoll_fd = -1;
    double begin = 0;  // seconds since observation began
    double end = 0;
    bool ended = false;  // false: it lasted at least until `end`
};

// What the loops did for each request: each read of a registered stream socket that got bytes.
struct Work {
    uint64_t requests = 0;
    uint64_t waits = 0;  // returns of epoll_wait
    uint64_t io = 0;     // reads, writes and accepts on registered files, whatever came of them
    uint64_t ctls = 0;   // epoll_ctl

    double per_request(uint64_t calls) const { return static_cast<double>(calls) / static_cast<double>(requests); }
};

struct History {
    std::vector<RateSample> samples;
    std::vector<LoopStats> loops;  // busiest first
    std::vector<WaitSlice> waits;
};

}  // namespace epaudit
