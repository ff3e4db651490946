// SPDX-License-Identifier: Apache-2.0
// A descriptor that others write to in order to wake the loop: it fired once and is disarmed, and they go on writing to it.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>

#include "src/books/snapshot.h"

namespace epaudit {

// An eventfd or a pipe, whatever the program uses it for.
bool wakes_the_loop(const Entry& entry);

class WakeCalls {
public:
    // Of a registration that has fired, once a look.
    bool go_on(const Entry& entry, uint64_t now);
    // Those that were not asked for at this look.
    void forget_others(uint64_t now);

private:
    struct Calls {
        uint64_t fired_at = 0;
        uint32_t readies = 0;  // at the first look after that
        uint64_t count = 0;
        uint64_t seen_at = 0;
    };
    std::map<std::tuple<uint64_t, uint64_t, int32_t>, Calls> calls_;  // by epoll, file and number
};

}  // namespace epaudit
