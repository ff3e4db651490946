// SPDX-License-Identifier: Apache-2.0
// The half of `epaudit inspect` that /proc answers; nobody else includes this.
#pragma once

#include <map>
#include <vector>

#include "src/books/interest.h"

namespace epaudit {

// A registration as /proc/PID/fdinfo tells it.
struct ListedTarget {
    int fd = -1;
    uint32_t mask = 0;
    uint64_t data = 0;
    auto operator<=>(const ListedTarget&) const = default;
};

// By InterestList::id: what fdinfo lists and the look does not hold. Those too long to be listed (the kernel keeps
// the epoll locked meanwhile) and those that may not be read are left out, with a note.
using Unreached = std::map<uint64_t, std::vector<ListedTarget>>;
Unreached unreached(InterestLook& look);

// Timeouts of waiters, settings of timers, signal masks, paths.
void add_details(InterestLook& look);

}  // namespace epaudit
