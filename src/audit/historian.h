// SPDX-License-Identifier: Apache-2.0
// How an observation went over time, kept in bounded memory for weeks if need be: rates, the loops' histograms,
// waits. Made of the snapshots that the rules look at, so it is the same for every source of postings.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "src/books/snapshot.h"
#include "src/finding/history.h"

namespace epaudit {

// Needs the counters (Snapshot::stats).
Work work_of(const Snapshot& books);

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
