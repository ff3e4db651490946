// SPDX-License-Identifier: Apache-2.0
// The bits of a mask, as <sys/epoll.h> names them: for whoever writes a mask, or reads one.
#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <cstdint>
#include <string_view>

#include "bpf/posting.h"

namespace epaudit {

struct EpollBit {
    uint32_t bit;
    std::string_view name;
};

inline constexpr EpollBit kEpollBits[] = {{EPOLLIN, "EPOLLIN"},
                                          {EPOLLPRI, "EPOLLPRI"},
                                          {EPOLLOUT, "EPOLLOUT"},
                                          {EPOLLERR, "EPOLLERR"},
                                          {EPOLLHUP, "EPOLLHUP"},
                                          {POLLNVAL, "EPOLLNVAL"},  // the kernel's name; glibc has none
                                          {EPOLLRDNORM, "EPOLLRDNORM"},
                                          {EPOLLRDBAND, "EPOLLRDBAND"},
                                          {EPOLLWRNORM, "EPOLLWRNORM"},
                                          {EPOLLWRBAND, "EPOLLWRBAND"},
                                          {EPOLLMSG, "EPOLLMSG"},
                                          {EPOLLRDHUP, "EPOLLRDHUP"},
                                          {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
                                          {EPOLLWAKEUP, "EPOLLWAKEUP"},
                                          {EPOLLONESHOT, "EPOLLONESHOT"},
                                          {EPOLLET, "EPOLLET"}};

// BPF code cannot include the system's header, and has names of its own for those that it asks for.
static_assert(uint32_t{EV_IN} == EPOLLIN && uint32_t{EV_PRI} == EPOLLPRI && uint32_t{EV_OUT} == EPOLLOUT &&
              uint32_t{EV_ERR} == EPOLLERR && uint32_t{EV_HUP} == EPOLLHUP && uint32_t{EV_RDNORM} == EPOLLRDNORM &&
              uint32_t{EV_RDHUP} == EPOLLRDHUP && EV_EXCLUSIVE == EPOLLEXCLUSIVE && EV_WAKEUP == EPOLLWAKEUP &&
              EV_ONESHOT == EPOLLONESHOT && EV_ET == EPOLLET);

}  // namespace epaudit
