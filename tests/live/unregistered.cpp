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
#include <netinet/in.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <thread>

#include "tests/live/sockets.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kServed = std::chrono::milliseconds(6000);
constexpr auto kBusy = std::chrono::milliseconds(5000);

int listener = -1;
int epoll = -1;

int new_listener(int backlog)
{
    int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)), "bind");
    must(listen(fd, backlog), "listen");
    return fd;
}

int connect_to(int fd, int flags = 0)
{
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    must(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    int client = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");
    if (connect(client, reinterpret_cast<sockaddr*>(&address), length) && errno != EINPROGRESS)
        must(-1, "connect");
    return client;
}

// They say this, and wait for an answer until they are killed.
pid_t clients(int count, std::string_view words, bool leave)
{
    pid_t child = must(fork(), "fork");
    if (child)
        return child;
    for (int i = 0; i < count; i++) {
        int fd = connect_to(listener);
        if (!words.empty())
            must(static_cast<int>(write(fd, words.data(), words.size())), "write");
        if (leave)
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
    int full = new_listener(0);
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

}  // namespace

int main(int argc, char** argv)
{
    const std::string_view role = argc > 1 ? argv[1] : "";
    listener = new_listener(64);
    const bool end = role == "forgotten-end";
    const int count = role == "many" ? 3 : role == "turn" ? 2 : 1;
    const pid_t child = clients(count, end || role == "idle" ? "" : "request\n", end);
    epoll = new_epoll();
    if (role != "listener" && role != "acceptor")
        watch(epoll, listener);
    if (role == "forgotten" || role == "many" || role == "forgotten-end" || role == "idle")
        forgotten(count);
    else if (role == "listener")
        serve();
    else if (role == "queue")
        queue();
    else if (role == "turn")
        turn();
    else if (role == "upstream")
        upstream();
    else if (role == "acceptor")
        acceptor();
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return 0;
}
