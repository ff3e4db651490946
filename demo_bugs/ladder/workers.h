// Rungs 4 and 5: several processes, each with an epoll of its own and a level-triggered loop. They differ in how a
// worker comes by its connections.
#pragma once

#include <sys/wait.h>

#include "ladder/echo.h"

namespace ladder {

constexpr int kWorkers = 3;

// Serves until the deadline; `listener_mask` is EPOLLIN, with EPOLLEXCLUSIVE where the listener is shared.
inline void serve(int listener, uint32_t listener_mask, const demo::Deadline& deadline)
{
    const int epoll = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    arm(epoll, EPOLL_CTL_ADD, listener, listener_mask, nullptr);
    epoll_event events[64];
    while (!deadline.passed()) {
        const int n = epoll_wait(epoll, events, 64, deadline.remaining_ms());
        for (int i = 0; i < n; ++i) {
            auto* connection = static_cast<Connection*>(events[i].data.ptr);
            if (!connection) {
                const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    continue;
                connection = new Connection(fd);
                arm(epoll, EPOLL_CTL_ADD, fd, connection->wanted(), connection);
                continue;
            }
            const uint32_t before = connection->wanted();
            if (events[i].events & EPOLLOUT) {
                connection->flush();
            } else {
                connection->step();
            }
            if (connection->over()) {
                delete connection;
            } else if (connection->wanted() != before) {
                arm(epoll, EPOLL_CTL_MOD, connection->fd(), connection->wanted(), connection);
            }
        }
    }
}

inline void reap_workers(int count)
{
    for (int i = 0; i < count; ++i)
        demo::check(wait(nullptr), "wait");
}

}  // namespace ladder
