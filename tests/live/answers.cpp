// SPDX-License-Identifier: Apache-2.0
// Small loops named after what they do: `NAME SECONDS`, where NAME is the name that the program was started by, or
// `answers NAME SECONDS`. Most answer each report by a call that fails or changes nothing, so that it comes again at once;
// the last ones are right, and serve what looks like nothing.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

using std::chrono::steady_clock;

steady_clock::time_point over;

int new_udp() { return must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"); }

// One whose client has reset it, and that was told so.
int reset_connection()
{
    auto [server, client] = new_connection();
    linger now{1, 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client);
    pollfd one{server, POLLIN, 0};
    must(poll(&one, 1, -1), "poll");
    char byte = 0;
    if (read(server, &byte, 1) >= 0 || errno != ECONNRESET)
        must(-1, "read of a connection that was reset");
    return server;
}

int connected_udp()
{
    int peer = new_udp();  // it stays open and reads nothing
    bind_to_loopback(peer);
    int fd = new_udp();
    dial(fd, peer);
    return fd;
}

// The level-triggered loop: each report of `fd` is answered by `answer`, at a pace that leaves the machine to the others
// and to whoever watches them.
void loop(int fd, uint32_t mask, const std::function<void(uint32_t)>& answer, int timeout_ms = 1000)
{
    int epoll = new_epoll();
    watch(epoll, fd, mask);
    epoll_event event{};
    while (steady_clock::now() < over) {
        if (must(epoll_wait(epoll, &event, 1, timeout_ms), "epoll_wait") > 0)
            answer(event.events);
        std::this_thread::sleep_for(std::chrono::microseconds(200));  // its pace
    }
}

char buffer[4096];

void send_some(int fd, size_t size)
{
    if (send(fd, buffer, size, MSG_NOSIGNAL) >= 0)
        must(-1, "a send that should fail");
}

void write_epipe()
{
    int fd = reset_connection();
    loop(fd, EPOLLIN | EPOLLOUT, [=](uint32_t) { send_some(fd, 5); });
}

void read_enotconn()
{
    int fd = new_tcp(SOCK_NONBLOCK);
    loop(fd, EPOLLIN | EPOLLOUT, [=](uint32_t) { recv(fd, buffer, 1, 0); });
}

void write_emsgsize()
{
    static char large[70000];
    int fd = connected_udp();
    loop(fd, EPOLLOUT, [=](uint32_t) { send(fd, large, sizeof large, 0); });
}

void connect_eisconn()
{
    int fd = new_connection()[0];
    sockaddr_in address = loopback(9);
    loop(fd, EPOLLOUT, [=](uint32_t) { connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address); });
}

void connect_enetunreach()
{
    int fd = new_tcp(SOCK_NONBLOCK);
    sockaddr_in address = loopback(9);
    address.sin_addr.s_addr = htonl(0x7fffffff);  // 127.255.255.255: no stream can lead to a broadcast address
    loop(fd, EPOLLOUT, [=](uint32_t) { connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address); });
}

void read_einval()
{
    int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
    itimerspec soon{};
    soon.it_value.tv_nsec = 1000;
    must(timerfd_settime(fd, 0, &soon, nullptr), "timerfd_settime");
    loop(fd, EPOLLIN, [=](uint32_t) { must(-(read(fd, buffer, 4) >= 0), "a read that should fail"); });
}

void read_enotsock()
{
    std::array<int, 2> ends{};
    must(pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), "pipe2");
    must(write(ends[1], "x", 1), "write");
    loop(ends[0], EPOLLIN, [=](uint32_t) { recv(ends[0], buffer, 1, 0); });
}

void accept_einval()
{
    auto [server, client] = new_connection();
    must(write(client, "x", 1), "write");
    loop(server, EPOLLIN, [fd = server](uint32_t) { accept4(fd, nullptr, nullptr, 0); });
}

void shutdown_again()
{
    auto [server, client] = new_connection();
    must(shutdown(client, SHUT_WR), "shutdown");
    loop(server, EPOLLIN | EPOLLRDHUP, [fd = server](uint32_t) { must(shutdown(fd, SHUT_RD), "shutdown"); });
}

void sendfile_epipe()
{
    int fd = reset_connection();
    int file = must(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open");
    loop(fd, EPOLLOUT, [=](uint32_t) {
        off_t from = 0;
        sendfile(fd, file, &from, 100);
    });
}

void read_nothing()
{
    auto [server, client] = new_connection();
    must(write(client, "x", 1), "write");
    loop(server, EPOLLIN, [fd = server](uint32_t) {
        iovec empty{buffer, 0};
        must(readv(fd, &empty, 1), "readv");
    });
}

void writes_its_eventfd()
{
    int fd = must(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    uint64_t one = 1;
    loop(fd, EPOLLIN, [=](uint32_t) { must(write(fd, &one, sizeof one), "write"); });
}

// It waits as it should for as long as any loop does that is seen from its start, and then it has lost its timeout.
void lost_timeout()
{
    int fd = new_connection()[0];
    int epoll = new_epoll();
    watch(epoll, fd);
    epoll_event event{};
    auto from = steady_clock::now() + std::chrono::milliseconds(1200);
    while (steady_clock::now() < over)
        must(epoll_wait(epoll, &event, 1, steady_clock::now() < from ? 50 : 0), "epoll_wait");
}

// --- those that are right ---

// `peer` sends a message without bytes each half millisecond; the loop takes it.
void takes_empty(int fd, int peer, const std::function<void()>& take)
{
    std::thread sender([=] {
        while (steady_clock::now() < over) {
            send(peer, "", 0, MSG_DONTWAIT);
            std::this_thread::sleep_for(std::chrono::microseconds(500));  // its rate
        }
    });
    loop(
        fd, EPOLLIN, [&](uint32_t) { take(); }, 100);
    sender.join();
}

void empty_datagrams()
{
    int fd = new_udp(), peer = new_udp();
    bind_to_loopback(fd);
    dial(peer, fd);
    takes_empty(fd, peer, [=] { recv(fd, buffer, sizeof buffer, 0); });
}

void empty_seqpackets()
{
    std::array<int, 2> pair{};
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), "socketpair");
    takes_empty(pair[0], pair[1], [fd = pair[0]] {
        iovec all{buffer, sizeof buffer};
        msghdr message{};
        message.msg_iov = &all;
        message.msg_iovlen = 1;
        recvmsg(fd, &message, 0);
    });
}

// Takes each datagram by a recv() of no bytes.
void discarded_datagrams()
{
    std::array<int, 2> pair{};
    must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), "socketpair");
    takes_empty(pair[0], pair[1], [fd = pair[0]] { recv(fd, nullptr, 0, 0); });
}

// Sends to a port where nobody listens: each answer is an error, and recv() takes it.
void refused_datagrams()
{
    int fd = new_udp(), nobody = new_udp();
    bind_to_loopback(nobody);
    dial(fd, nobody);
    close(nobody);
    send(fd, "x", 1, 0);
    loop(fd, EPOLLIN, [=](uint32_t) {
        recv(fd, buffer, sizeof buffer, 0);
        send(fd, "x", 1, 0);
    });
}

// Is the inherited descriptor a listener? accept() tells. It is none, and goes on being served.
void asks_by_accept()
{
    auto [server, client] = new_connection();
    accept4(server, nullptr, nullptr, 0);
    std::thread sender([peer = client] {
        while (steady_clock::now() < over) {
            must(write(peer, "x", 1), "write");
            std::this_thread::sleep_for(std::chrono::microseconds(500));  // its rate
        }
    });
    loop(
        server, EPOLLIN,
        [fd = server](uint32_t) {
            accept4(fd, nullptr, nullptr, 0);
            must(read(fd, buffer, sizeof buffer), "read");
        },
        100);
    sender.join();
}

}  // namespace

int main(int argc, char** argv)
{
    signal(SIGPIPE, SIG_IGN);
    over = steady_clock::now() +
           std::chrono::milliseconds(argc > 1 ? static_cast<long>(atof(argv[argc - 1]) * 1000) : 0);
    const Role roles[] = {
        {"write_epipe", write_epipe},
        {"read_enotconn", read_enotconn},
        {"write_emsgsize", write_emsgsize},
        {"connect_eisconn", connect_eisconn},
        {"connect_enetunreach", connect_enetunreach},
        {"read_einval", read_einval},
        {"read_enotsock", read_enotsock},
        {"accept_einval", accept_einval},
        {"shutdown_again", shutdown_again},
        {"sendfile_epipe", sendfile_epipe},
        {"read_nothing", read_nothing},
        {"writes_its_eventfd", writes_its_eventfd},
        {"lost_timeout", lost_timeout},
        {"empty_datagrams", empty_datagrams},
        {"empty_seqpackets", empty_seqpackets},
        {"discarded_datagrams", discarded_datagrams},
        {"refused_datagrams", refused_datagrams},
        {"asks_by_accept", asks_by_accept},
    };
    char* by_name[] = {program_invocation_short_name, nullptr};
    return play_role(argc > 2 ? argv + 1 : by_name, roles);
}
