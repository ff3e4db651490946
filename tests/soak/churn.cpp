// SPDX-License-Identifier: Apache-2.0
// What a server goes through in a week, in minutes: connections that come and go, children that live for a moment, programs
// that replace themselves, numbers of descriptors and processes that are used again, and misuse that comes and goes.
//
//   churn SECONDS [CONNECTIONS-PER-SECOND [FORKS-PER-SECOND]]     2,000 and 100
//
// In the end it says how much of each there was.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kExecStorm = 50;  // programs, one after the other in one process
constexpr milliseconds kMisuse{1500}, kMisuseEach{4000};

std::atomic<bool> over{false};
std::atomic<unsigned long> connections{0}, forks{0}, misuses{0};

int must(int result, const char* what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
    exit(3);
}

void add(int epoll, int fd, uint32_t mask)
{
    epoll_event want{};
    want.events = mask;
    want.data.fd = fd;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want), "epoll_ctl");
}

sockaddr_in loopback(uint16_t port)
{
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return name;
}

void accept_all(int epoll, int listener)
{
    for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        const linger reset{1, 0};  // or its port would be taken for a minute
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        add(epoll, fd, EPOLLIN | EPOLLET);
    }
}

void answer_all(int fd)
{
    char bytes[256];
    for (ssize_t got; (got = read(fd, bytes, sizeof(bytes))) != -1 || errno != EAGAIN;) {
        if (got > 0 && send(fd, bytes, static_cast<size_t>(got), MSG_NOSIGNAL) == got)
            continue;
        close(fd);
        return;
    }
}

void serve(int listener)
{
    const int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    add(epoll, listener, EPOLLIN | EPOLLET);
    while (!over) {
        epoll_event events[64];
        const int count = epoll_wait(epoll, events, 64, 100);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer_all(events[i].data.fd);
    }
}

// Keeps to the rate as long as the machine can.
template <typename Job>
void at_rate(unsigned per_second, Job job)
{
    auto next = Clock::now();
    while (!over) {
        job();
        next += std::chrono::nanoseconds(1'000'000'000 / per_second);
        std::this_thread::sleep_until(next);  // this is the load
    }
}

void visit(uint16_t port)
{
    const int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const sockaddr_in name = loopback(port);
    must(connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)), "connect");
    char bytes[16] = "a question";
    must(static_cast<int>(write(fd, bytes, sizeof(bytes))), "write");
    must(static_cast<int>(read(fd, bytes, sizeof(bytes))), "read");
    close(fd);
    connections++;
}

// A child that has an epoll of its own for a moment.
void be_brief()
{
    const int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int ends[2];
    must(pipe(ends), "pipe");
    add(epoll, ends[0], EPOLLIN);
    epoll_event event;
    if (write(ends[1], "x", 1) != 1 || epoll_wait(epoll, &event, 1, 1000) != 1 || read(ends[0], ends, 1) != 1)
        _exit(3);
    _exit(0);
}

void have_child(const char* self)
{
    const unsigned long turn = forks++;
    const pid_t child = must(fork(), "fork");
    if (child == 0) {
        if (turn % 4 == 1)
            be_brief();
        if (turn % 4 == 2)
            execl(self, self, "brief", nullptr);
        if (turn % 1000 == 3)
            execl(self, self, "storm", std::to_string(kExecStorm).c_str(), nullptr);
        _exit(0);
    }
    if (turn % 100 == 99)
        while (waitpid(-1, nullptr, WNOHANG) > 0)
            continue;
}

// A loop that is told of a byte and does not read it, for a while.
void misuse()
{
    const int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int ends[2];
    must(pipe(ends), "pipe");
    add(epoll, ends[0], EPOLLIN);
    must(static_cast<int>(write(ends[1], "x", 1)), "write");
    for (const auto end = Clock::now() + kMisuse; Clock::now() < end;) {
        epoll_event event;
        must(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
    }
    for (int fd : {epoll, ends[0], ends[1]})
        close(fd);
    misuses++;
}

int storm(const char* self, const char* left)
{
    const int more = atoi(left) - 1;
    if (more > 0)
        execl(self, self, "storm", std::to_string(more).c_str(), nullptr);
    be_brief();
    return 0;
}

uint16_t listen_somewhere(int& listener)
{
    listener = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in name = loopback(0);
    socklen_t size = sizeof(name);
    must(bind(listener, reinterpret_cast<sockaddr*>(&name), size), "bind");
    must(listen(listener, 1024), "listen");
    must(getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size), "getsockname");
    return ntohs(name.sin_port);
}

}  // namespace

int main(int argc, char** argv)
{
    const std::string_view role = argc > 1 ? argv[1] : "";
    if (role == "brief")
        be_brief();
    if (role == "storm")
        return storm(argv[0], argv[2]);
    const int seconds = argc > 1 ? atoi(argv[1]) : 60;
    const unsigned visits = argc > 2 ? static_cast<unsigned>(atoi(argv[2])) : 2000;
    const unsigned children = argc > 3 ? static_cast<unsigned>(atoi(argv[3])) : 100;
    int listener = -1;
    const uint16_t port = listen_somewhere(listener);
    std::thread server(serve, listener);
    std::thread clients([&] { at_rate(visits, [&] { visit(port); }); });
    std::thread wrong([&] {
        while (!over) {
            misuse();
            std::this_thread::sleep_for(kMisuseEach);  // it is right meanwhile
        }
    });
    std::thread end([&] {
        std::this_thread::sleep_for(std::chrono::seconds(seconds));
        over = true;
    });
    at_rate(children, [&] { have_child(argv[0]); });
    for (std::thread* one : {&end, &clients, &server, &wrong})
        one->join();
    while (waitpid(-1, nullptr, 0) > 0)
        continue;
    printf("%lu connections, %lu children, %lu times misused\n", connections.load(), forks.load(), misuses.load());
    return 0;
}
