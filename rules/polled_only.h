// SPDX-License-Identifier: Apache-2.0
// Whose loop is an epoll? One that is only ever polled with timeout 0, by a clock of the loop that its thread waits in, is
// nobody's: what is ready in it waits until then on purpose.
#pragma once

#include <cstdint>

#include "src/books/snapshot.h"

namespace epaudit {

// The thread that polls it made no more waits with a timeout, or without end, than there were on its other epolls.
inline bool polled_only(const Snapshot& books, uint64_t id, const epoll_row& epoll)
{
    constexpr uint64_t kPolls = 4;  // to know it
    const thread_row* thread = books.thread(epoll.polled_tid);
    if (!thread || epoll.waits < kPolls)
        return false;
    uint64_t elsewhere = 1;  // one may have begun before we came
    for (const auto& [other, row] : books.epolls)
        elsewhere += other != id && row.polled_tid == epoll.polled_tid ? row.waits : 0;
    return thread->timed_waits <= elsewhere;
}

}  // namespace epaudit
