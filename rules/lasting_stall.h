// SPDX-License-Identifier: Apache-2.0
// A stall that has not ended: nobody polls the epoll now, and what waits for it is on its ready list.
#pragma once

#include <optional>
#include <vector>

#include "src/audit/rule.h"

namespace epaudit {

struct LastingStall {
    enum class Doing {
        kSleeps,  // in `call`, which is no wait for events
        kWaits,   // in a call that waits for others' work or for other events: a thread pool, another loop
        kPolls,   // another epoll
        kComputes,
    };
    Doing doing = Doing::kSleeps;
    int call = -1;
    uint32_t tid = 0;
    uint32_t tgid = 0;
    uint64_t from = 0;      // nobody has polled since
    uint64_t ns = 0;        // so long
    uint64_t nap_ns = 0;    // kSleeps, kWaits: how long its thread has been in that call,
    uint64_t slept_ns = 0;  // and in others since it came back; 0: the longest of those was a wait for others
    uint64_t cpu_ns = 0;
    unsigned clients = 0;  // ready, and not told of
    bool alone = false;    // one of them is evidence without a second one
    const Entry* example = nullptr;

    // So long it would last with a CPU to itself: what it computes, where it mostly waits for one.
    uint64_t own_ns() const { return doing == Doing::kComputes && cpu_ns < ns / 2 ? cpu_ns : ns; }
};

// Clients must have been ready for `ready_ns`. None: somebody polls, nobody waits, or the machine is at fault.
std::optional<LastingStall> find_lasting(const Snapshot& books, uint64_t id, const epoll_row& epoll, uint64_t ready_ns);

// Nobody has polled this epoll since the observation began: clients that were ready at its beginning. They are of no loop
// that was seen to run, so that nothing is known but that they wait.
std::vector<const Entry*> ready_from_start(const Snapshot& books, uint64_t id, const epoll_row& epoll,
                                           uint64_t ready_ns);

}  // namespace epaudit
