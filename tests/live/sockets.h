// SPDX-License-Identifier: Apache-2.0
// What the small programs that live tests watch have in common: a call that must not fail, an epoll, a registration, a pair
// of sockets, a byte to be read, a TCP listener and who connects to it.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

template <typename Number>
Number must(Number result, const char* what)
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
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want), "epoll_ctl(ADD)");
}

inline void arm(int epoll, int fd, uint32_t mask)
{
    epoll_event want{};
    want.events = mask;
    want.data.fd = fd;
    must(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &want), "epoll_ctl(MOD)");
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

// --- TCP and UDP on the loopback device ---

inline int new_tcp(int flags = 0) { return must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"); }

inline sockaddr_in loopback(uint16_t port = 0)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline sockaddr_in address_of(int fd)
{
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    must(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return address;
}

// Under a port that the kernel chooses.
inline void bind_to_loopback(int fd)
{
    const sockaddr_in any = loopback();
    must(bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)), "bind");
}

inline int new_listener(int flags = 0, int backlog = 64)
{
    const int fd = new_tcp(flags);
    bind_to_loopback(fd);
    must(listen(fd, backlog), "listen");
    return fd;
}

// To where the other one is bound. What does not block may only have begun to connect.
inline void dial(int fd, int other)
{
    const sockaddr_in address = address_of(other);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) && errno != EINPROGRESS)
        must(-1, "connect");
}

inline int connect_to(int listener, int flags = 0)
{
    const int fd = new_tcp(flags);
    dial(fd, listener);
    return fd;
}

// The server's end, which does not block, and the client's.
inline std::array<int, 2> new_connection()
{
    const int listener = new_listener(), theirs = connect_to(listener);
    const int ours = must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
    close(listener);
    return {ours, theirs};
}
