// SPDX-License-Identifier: Apache-2.0
// A server whose clients all hang: of each request it has read a part, under EPOLLET, and the rest lies there. The clients
// are a process of their own, because descriptors may be limited.
//
//   crowd CONNECTIONS        says "CONNECTIONS hang" once they do, and goes on until it is ended
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr char kRequest[] = "twelve bytes";
constexpr size_t kRead = 4;

int must(int result, const char* what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(3);
}

// The kernel chooses a name that nobody else has.
sockaddr_un address_of(int listener, socklen_t* size)
{
    sockaddr_un address{};
    *size = sizeof(address);
    must(getsockname(listener, reinterpret_cast<sockaddr*>(&address), size), "getsockname");
    return address;
}

[[noreturn]] void be_clients(int listener, unsigned long count)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    socklen_t size = 0;
    const sockaddr_un address = address_of(listener, &size);
    close(listener);
    for (unsigned long i = 0; i < count; i++) {
        const int client = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        must(connect(client, reinterpret_cast<const sockaddr*>(&address), size), "connect");
        must(static_cast<int>(write(client, kRequest, sizeof(kRequest) - 1)), "write");
    }
    for (;;)
        pause();
}

void accept_one(int epoll, int listener)
{
    const int client = must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
    epoll_event want{};
    want.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    want.data.fd = client;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, client, &want), "epoll_ctl");
}

[[noreturn]] void serve(int epoll, int listener, unsigned long count)
{
    for (unsigned long hang = 0;;) {
        epoll_event events[64];
        const int got = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < got; i++) {
            if (events[i].data.fd == listener) {
                accept_one(epoll, listener);
                continue;
            }
            char part[kRead];
            must(static_cast<int>(read(events[i].data.fd, part, sizeof(part))),
                 "read");  // expect: EP101, the rest is left
            if (++hang == count)
                printf("%lu hang\n", hang);
        }
        fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: crowd CONNECTIONS\n");
        return 2;
    }
    const unsigned long count = std::strtoul(argv[1], nullptr, 10);
    const int listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    sockaddr_un any{};
    any.sun_family = AF_UNIX;
    must(bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof(any.sun_family)), "bind");
    must(listen(listener, 4096), "listen");
    const pid_t clients = must(fork(), "fork");
    if (clients == 0)
        be_clients(listener, count);
    const int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.fd = listener;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &want), "epoll_ctl");
    serve(epoll, listener, count);
}
