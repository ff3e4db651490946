// SPDX-License-Identifier: Apache-2.0
// What the small programs that live tests watch have in common: a call that must not fail, an epoll, a pair of sockets, a
// registration, a byte to be read.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

inline int must(int result, const char* what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(3);
}

inline int new_epoll() { return must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"); }

inline void watch(int epoll, int fd, uint32_t mask = EPOLLIN)
{
    epoll_event want{};
    want.events = mask;
    want.data.fd = fd;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want), "epoll_ctl");
}

inline std::array<int, 2> new_pair()
{
    std::array<int, 2> pair{};
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), "socketpair");
    return pair;
}

inline void put_byte(int fd)
{
    char byte = 1;
    if (write(fd, &byte, 1) != 1)
        must(-1, "write");
}
