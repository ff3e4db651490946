// SPDX-License-Identifier: Apache-2.0
#include "rules/shared_data.h"

#include <algorithm>

#include "rules/evidence.h"

namespace epaudit {
namespace {

// Its ADD was seen, it is its file's only one, and some events of its epoll could not be placed.
bool may_be_meant(const Snapshot& books, const Entry& entry)
{
    const epoll_row* epoll = entry.key.epoll ? books.epoll(entry.key.epoll) : nullptr;
    return epoll && epoll->unattributed && past_known(entry) && !entry.ready && entry.file.stuck_at &&
           sole_registration(books, entry);
}

bool never_touched(const Entry& entry)
{
    const file_row& f = entry.file;
    return std::max(f.attempt_at, f.wrote_at) < entry.registration.added_at;
}

bool is_lost_edge(const Snapshot& books, const Entry& entry)
{
    return is_stream_socket(entry) && entry.state.unread && asks_for_edges(entry) && never_touched(entry) &&
           may_be_meant(books, entry);
}

}  // namespace

bool fired_unplaced(const Snapshot& books, const Entry& entry)
{
    const registration_row& r = entry.registration;
    bool disarmed = !(entry.live_mask & ~EV_PRIVATE);
    bool was_armed = (r.mask & EV_ONESHOT) && (r.mask & ~EV_PRIVATE & ~(EV_ERR | EV_HUP));
    return disarmed && was_armed && !(r.flags & REGISTRATION_FIRED) && may_be_meant(books, entry);
}

LostEdges::LostEdges(const Snapshot& books) : books_(books)
{
    if (std::none_of(books.epolls.begin(), books.epolls.end(), [](const auto& e) { return e.second.unattributed; }))
        return;
    for (const Entry& entry : books.entries)
        if (is_lost_edge(books, entry))
            counts_[{entry.key.epoll, entry.registration.data}]++;
}

size_t LostEdges::alike(const Entry& entry) const
{
    if (counts_.empty() || !is_lost_edge(books_, entry))
        return 0;
    return counts_.at({entry.key.epoll, entry.registration.data});
}

void doubt_unplaced(const Snapshot& books, const Entry& entry, uint64_t touched, uint64_t turn, bool timer_gone,
                    Doubts& doubts)
{
    if (entry.file
            .eventless_io)  // of the epoll as a whole it says nothing: its reads of the one it was not told of count
        doubt_eventless_io(books, entry, doubts);
    doubt_blocked_output(books, entry, doubts);
    for (const auto& [tid, thread] : books.threads)
        if (thread.epoll == entry.key.epoll && doubts.empty())
            doubt_handoff(thread, touched, turn, doubts);
    doubt_timer(timer_gone, doubts);
}

}  // namespace epaudit
