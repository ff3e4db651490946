// SPDX-License-Identifier: Apache-2.0
// Small loops named after what they do: `NAME SECONDS`, where NAME is the name that the program was started by, or
// `answers NAME SECONDS`. Those of kSpins answer each report by a call that fails or changes nothing, so that it comes
// again at once; those of kServes serve what looks like nothing.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <thread>

namespace {

using std::chrono::steady_clock;

steady_clock::time_point over;

int must(int result, const char* what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "answers: %s: %s\n", what, strerror(errno));
    exit(3);
}

sockaddr_in loopback(uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = port;
    return address;
}

// Bound to a port of its own, which is returned.
int bound(int type, sockaddr_in& address)
{
    int fd = must(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    address = loopback(0);
    socklen_t size = sizeof address;
    must(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
    must(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return fd;
}

int unconnected() { return must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"); }

// A TCP connection: the server's end, which does not block, and the client's.
std::array<int, 2> connection()
{
    sockaddr_in address{};
    int listener = bound(SOCK_STREAM, address);
    must(listen(listener, 1), "listen");
    int client = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    pollfd one{listener, POLLIN, 0};
    must(poll(&one, 1, -1), "poll");
    int server = must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
    close(listener);
    return {server, client};
}

// One whose client has reset it, and that was told so.
int reset_connection()
{
    auto [server, client] = connection();
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
    sockaddr_in address{};
    int peer = bound(SOCK_DGRAM, address);
    int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    must(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    must(peer, "peer");  // it stays open and reads nothing
    return fd;
}

// The level-triggered loop: each report of `fd` is answered by `answer`, at a pace that leaves the machine to the others
// and to whoever watches them.
void loop(int fd, uint32_t mask, const std::function<void(uint32_t)>& answer, int timeout_ms = 1000)
{
    int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event event{};
    event.events = mask;
    event.data.fd = fd;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
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
    int fd = unconnected();
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
    int fd = connection()[0];
    sockaddr_in address = loopback(htons(9));
    loop(fd, EPOLLOUT, [=](uint32_t) { connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address); });
}

void connect_enetunreach()
{
    int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in address = loopback(htons(9));
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
    must(static_cast<int>(write(ends[1], "x", 1)), "write");
    loop(ends[0], EPOLLIN, [=](uint32_t) { recv(ends[0], buffer, 1, 0); });
}

void accept_einval()
{
    auto [server, client] = connection();
    must(static_cast<int>(write(client, "x", 1)), "write");
    loop(server, EPOLLIN, [fd = server](uint32_t) { accept4(fd, nullptr, nullptr, 0); });
}

void shutdown_again()
{
    auto [server, client] = connection();
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
    auto [server, client] = connection();
    must(static_cast<int>(write(client, "x", 1)), "write");
    loop(server, EPOLLIN, [fd = server](uint32_t) {
        iovec empty{buffer, 0};
        must(static_cast<int>(readv(fd, &empty, 1)), "readv");
    });
}

void writes_its_eventfd()
{
    int fd = must(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    uint64_t one = 1;
    loop(fd, EPOLLIN, [=](uint32_t) { must(static_cast<int>(write(fd, &one, sizeof one)), "write"); });
}

// It waits as it should for as long as any loop does that is seen from its start, and then it has lost its timeout.
void lost_timeout()
{
    int fd = connection()[0];
    int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event event{};
    event.events = EPOLLIN;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
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
    sockaddr_in address{};
    int fd = bound(SOCK_DGRAM, address);
    int peer = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    must(connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
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
    sockaddr_in address{};
    close(bound(SOCK_DGRAM, address));
    int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    must(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    send(fd, "x", 1, 0);
    loop(fd, EPOLLIN, [=](uint32_t) {
        recv(fd, buffer, sizeof buffer, 0);
        send(fd, "x", 1, 0);
    });
}

// Is the inherited descriptor a listener? accept() tells. It is none, and goes on being served.
void asks_by_accept()
{
    auto [server, client] = connection();
    accept4(server, nullptr, nullptr, 0);
    std::thread sender([peer = client] {
        while (steady_clock::now() < over) {
            must(static_cast<int>(write(peer, "x", 1)), "write");
            std::this_thread::sleep_for(std::chrono::microseconds(500));  // its rate
        }
    });
    loop(
        server, EPOLLIN,
        [fd = server](uint32_t) {
            accept4(fd, nullptr, nullptr, 0);
            must(static_cast<int>(read(fd, buffer, sizeof buffer)), "read");
        },
        100);
    sender.join();
}

struct Role {
    std::string_view name;
    void (*play)();
};

constexpr Role kSpins[] = {{"write_epipe", write_epipe},
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
                           {"lost_timeout", lost_timeout}};
constexpr Role kServes[] = {{"empty_datagrams", empty_datagrams},
                            {"empty_seqpackets", empty_seqpackets},
                            {"discarded_datagrams", discarded_datagrams},
                            {"refused_datagrams", refused_datagrams},
                            {"asks_by_accept", asks_by_accept}};

}  // namespace

int main(int argc, char** argv)
{
    signal(SIGPIPE, SIG_IGN);
    std::string_view name = argv[argc > 2 ? 1 : 0];
    name.remove_prefix(name.find_last_of('/') + 1);  // npos + 1 is 0
    over = steady_clock::now() +
           std::chrono::milliseconds(argc > 1 ? static_cast<long>(atof(argv[argc - 1]) * 1000) : 0);
    for (const Role& role : kSpins) {
        if (role.name == name)
            return role.play(), 0;
    }
    for (const Role& role : kServes) {
        if (role.name == name)
            return role.play(), 0;
    }
    fprintf(stderr, "usage: answers NAME SECONDS\n");
    return 2;
}
