// SPDX-License-Identifier: Apache-2.0
// Where in the program the calls were made that a finding is about. Live capture answers from user stacks; replay
// and strace logs hold none.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/probes.h"
#include "src/books/trail.h"

namespace epaudit {

// The last four belong to an epoll, as kWait does; kRefused to a file.
enum class StackRole { kArmed, kRead, kWrite, kAccept, kWait, kRefused, kBlocked, kCreated, kChanged, kStale };
constexpr StackRole kLastRole = StackRole::kStale;

const char* stack_role_text(StackRole role);  // "armed here", "last read here", "blocked in"

class CallSites {
public:
    virtual ~CallSites() = default;
    // The newest stack that shows this role of a file and its registration; nullptr: none was taken. Valid until
    // the next call.
    virtual const Stack* find(StackRole role, const sweep_record& entry) = 0;
    // One of each place in a process that calls epoll_ctl, as far as they are kept, and not more than kMostOfProcess.
    static constexpr size_t kMostOfProcess = 100;
    virtual std::vector<const Stack*> armed_in(uint32_t) { return {}; }
    virtual uint64_t places_in(uint32_t) const { return 0; }  // seen so far: another number, and there are others
};

}  // namespace epaudit
