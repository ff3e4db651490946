// SPDX-License-Identifier: Apache-2.0
// A server whose clients all hang: of each request it has read a part, under EPOLLET, and the rest lies there. The clients
// are a process of their own, because descriptors may be limited.
//
//   crowd CONNECTIONS        says "CONNECTIONS hang" once they do, and goes on until it is ended
#include <sys/prctl.h>
#include <sys/un.h>

#include <csignal>

#include "tests/live/sockets.h"

namespace {

constexpr char kRequest[] = "twelve bytes";
constexpr size_t kRead = 4;

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
        must(write(client, kRequest, sizeof(kRequest) - 1), "write");
    }
    for (;;)
        pause();
}

void accept_one(int epoll, int listener)
{
    const int client = must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
    watch(epoll, client, EPOLLIN | EPOLLRDHUP | EPOLLET);
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
            must(read(events[i].data.fd, part, sizeof(part)), "read");  // expect: EP101, the rest is left
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
    const int epoll = new_epoll();
    watch(epoll, listener);
    serve(epoll, listener, count);
}
