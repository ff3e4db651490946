// SPDX-License-Identifier: Apache-2.0
#include "rules/inner_epoll.h"

#include <algorithm>

#include "rules/evidence.h"
#include "src/books/epoll_bits.h"

namespace epaudit {
namespace {

// A recording does not know which file an epoll is: there its number must do.
bool is_of(const Entry& registration, const epoll_row& row)
{
    if (registration.file.kind != FILE_EPOLL)
        return false;
    return row.file ? row.file == registration.key.file
                    : row.fd == registration.key.fd && row.tgid == registration.registration.tgid;
}

}  // namespace

bool registered_in(const Snapshot& books, uint64_t inner, uint64_t outer)
{
    const epoll_row* row = books.epoll(inner);
    const auto epolls = books.neighbours().with(kTraitEpoll);
    return row && std::any_of(epolls.begin(), epolls.end(), [&](const Entry* e) {
               return e->key.epoll && (!outer || e->key.epoll == outer) && is_of(*e, *row);
           });
}

uint64_t inner_of(const Snapshot& books, const Entry& registration)
{
    for (const auto& [id, row] : books.epolls)
        if (is_of(registration, row))
            return id;
    return 0;
}

std::vector<const Entry*> unfetched(const Snapshot& books, uint64_t inner, uint64_t ready_ns)
{
    std::vector<const Entry*> found;
    for (const Entry& entry : books.entries) {
        const uint64_t since = entry.file.stuck_at;
        if (entry.key.epoll == inner && entry.ready && (entry.live_mask & (EV_IN | EV_RDNORM)) && input_waits(entry) &&
            since && since + ready_ns <= books.time)
            found.push_back(&entry);
    }
    return found;
}

}  // namespace epaudit
