// SPDX-License-Identifier: Apache-2.0
// A loop whose client waits in a socket that no epoll holds: each role is a mistake, or a wait that is right and looks like
// one. The clients are a child of it.
//
//   unregistered forgotten      accepted and never registered, while a request waits (EP106); many: three of them
//   unregistered forgotten-end  the same, and all that ever came is the end
//   unregistered listener       the listener itself was never registered (EP106)
//   unregistered idle           accepted and never registered, and the client says nothing
//   unregistered queue          queued for a thread that is busy, which reads it in the end
//   unregistered turn           one client at a time: the second is registered when the first has left
//   unregistered upstream       not read before the connection to somebody else stands
//   unregistered acceptor       the listener is another thread's, which is busy
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kServed = std::chrono::milliseconds(6000);
constexpr auto kBusy = std::chrono::milliseconds(5000);

int listener = -1;
int epoll = -1;

struct Clients {
    int count = 1;
    std::string_view words = "request\n";
    bool leave = false;
};

// They say this, and wait for an answer until they are killed.
pid_t begin(const Clients& clients)
{
    pid_t child = must(fork(), "fork");
    if (child)
        return child;
    for (int i = 0; i < clients.count; i++) {
        int fd = connect_to(listener);
        if (!clients.words.empty())
            must(write(fd, clients.words.data(), clients.words.size()), "write");
        if (clients.leave)
            shutdown(fd, SHUT_WR);
    }
    close(listener);
    for (;;)
        pause();
}

int accepted()
{
    epoll_event got{};
    while (must(epoll_wait(epoll, &got, 1, 1000), "epoll_wait") == 0 || got.data.fd != listener)
        ;
    return must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
}

bool take(int fd)
{
    char bytes[64];
    return read(fd, bytes, sizeof(bytes)) > 0;
}

// With a timeout, as loops have it that look for work of their own now and then.
template <typename Each>
void serve(Each each, Clock::duration span = kServed)
{
    const auto end = Clock::now() + span;
    while (Clock::now() < end) {
        epoll_event got{};
        if (must(epoll_wait(epoll, &got, 1, 500), "epoll_wait") == 1)
            each(got.data.fd);
    }
}

void serve()
{
    serve([](int fd) {
        if (fd != listener)
            take(fd);
    });
}

void forgotten(int count)
{
    while (count--)
        accepted();
    serve();
}

void queue()
{
    int fd = accepted();
    std::thread worker([=] {
        std::this_thread::sleep_for(kBusy);
        take(fd);
    });
    serve();
    worker.join();
}

void turn()
{
    int first = accepted();
    watch(epoll, first);
    int second = accepted();
    serve([=](int fd) { take(fd); }, kBusy);
    close(first);
    watch(epoll, second);
    serve();
}

void upstream()
{
    int full = new_listener(SOCK_NONBLOCK, 0);
    connect_to(full, SOCK_NONBLOCK);
    connect_to(full, SOCK_NONBLOCK);
    int client = accepted();
    int other = connect_to(full, SOCK_NONBLOCK);
    watch(epoll, other, EPOLLOUT | EPOLLET);
    serve([](int) {}, kBusy);
    close(other);
    watch(epoll, client);
    serve();
}

void acceptor()
{
    std::thread other([] {
        std::this_thread::sleep_for(kBusy);
        take(must(accept(listener, nullptr, nullptr), "accept"));
    });
    serve();
    other.join();
}

// The loop, and what it is asked for. `registered`: the listener is.
void play(const Clients& clients, bool registered, void (*loop)())
{
    listener = new_listener(SOCK_NONBLOCK);
    const pid_t child = begin(clients);
    epoll = new_epoll();
    if (registered)
        watch(epoll, listener);
    loop();
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"forgotten", [] { play({}, true, [] { forgotten(1); }); }},
        {"many", [] { play({.count = 3}, true, [] { forgotten(3); }); }},
        {"forgotten-end", [] { play({.words = "", .leave = true}, true, [] { forgotten(1); }); }},
        {"listener", [] { play({}, false, serve); }},
        {"idle", [] { play({.words = ""}, true, [] { forgotten(1); }); }},
        {"queue", [] { play({}, true, queue); }},
        {"turn", [] { play({.count = 2}, true, turn); }},
        {"upstream", [] { play({}, true, upstream); }},
        {"acceptor", [] { play({}, false, acceptor); }},
    };
    return play_role(argv + 1, roles);
}
