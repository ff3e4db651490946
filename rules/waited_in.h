// SPDX-License-Identifier: Apache-2.0
// Whose loop is an epoll? One that is only ever polled with timeout 0, by a clock of the loop that its thread waits in, is
// nobody's: what is ready in it waits until then on purpose.
#pragma once

#include <cstdint>
#include <set>

#include "src/books/snapshot.h"

namespace epaudit {

class WaitedIn {
public:
    // Once per audit, first.
    void look(const Snapshot& books)
    {
        for (const auto& [tid, thread] : books.threads) {
            if (thread.timeout_ms || thread.seeded)
                epolls_.insert(thread.epoll);
        }
        std::erase_if(epolls_, [&](uint64_t id) { return !books.epoll(id); });
    }
    // Nobody was ever seen to wait in it, though it was polled often enough for that.
    bool never(uint64_t id, const epoll_row& epoll) const { return epoll.waits >= kPolls && !epolls_.count(id); }

private:
    static constexpr uint64_t kPolls = 4;
    std::set<uint64_t> epolls_;
};

}  // namespace epaudit
