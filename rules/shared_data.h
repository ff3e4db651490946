// SPDX-License-Identifier: Apache-2.0
// Events whose data is that of several registrations: the program cannot know which of them was meant. A level-triggered
// one is reported again, and the loop spins. With EPOLLET or EPOLLONESHOT it was told once, and whoever was meant waits.
#pragma once

#include "rules/stuck.h"

namespace epaudit {

// A ONESHOT that has fired, and the event that disarmed it was one of those.
bool fired_unplaced(const Snapshot& books, const Entry& entry);

// Edge-triggered connections with input that nobody has ever touched, by epoll and data: there may be thousands of them.
class LostEdges {
public:
    explicit LostEdges(const Snapshot& books);
    // How many have the epoll and the data of this one, with this one. 0: this one is none of them.
    size_t alike(const Entry& entry) const;

private:
    const Snapshot& books_;
    std::map<std::pair<uint64_t, uint64_t>, size_t> counts_;
};

// Who may come for them? The loop, by a timer or because it reads without being told, or a thread that was woken.
void doubt_unplaced(const Snapshot& books, const Entry& entry, uint64_t touched, uint64_t turn, bool timer_gone,
                    Doubts& doubts);

}  // namespace epaudit
