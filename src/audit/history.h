// SPDX-License-Identifier: Apache-2.0
// How an observation went over time, kept in bounded memory for weeks if need be: rates, the loops' histograms,
// waits. Made of the snapshots that the rules look at, so it is the same for every source of postings.
#pragma once

#include <array>
#include <cstdint>
#include <map>
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

// Needs the counters (Snapshot::stats).
Work work_of(const Snapshot& books);

struct History {
    std::vector<RateSample> samples;
    std::vector<LoopStats> loops;  // busiest first
    std::vector<WaitSlice> waits;
};

class Historian {
public:
    void look(const Snapshot& books);
    History history() const;
    const RateSample& newest() const { return look_; }  // of the newest look alone

private:
    struct Known {
        LoopStats loop;
        bool alive = false;
    };
    struct Newest {
        uint64_t wait_at = 0;
        size_t slice = 0;
    };

    void look_at_loops(const Snapshot& books, RateSample& sample);
    void look_at_threads(const Snapshot& books);
    void add(const RateSample& sample);
    size_t new_slice(const WaitSlice& slice);

    std::map<uint64_t, Known> loops_;
    std::vector<RateSample> samples_;
    RateSample look_;
    RateSample pending_;  // looks that do not make a sample yet
    size_t pending_looks_ = 0;
    size_t looks_per_sample_ = 1;
    std::vector<WaitSlice> waits_;  // once it is full, the oldest is overwritten
    size_t next_wait_ = 0;
    std::map<uint32_t, Newest> newest_;  // by tid
    uint64_t last_ = 0;
};

}  // namespace epaudit
