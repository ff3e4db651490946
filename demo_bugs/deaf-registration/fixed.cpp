// A counter service with connections that stay open: each line is the name of a counter, which is
// raised by one; the answer is its new value. A timer forgets the counters once a minute.
//
// expect: none
// EPOLLIN stays in the mask while EPOLLOUT is added, and after the answer as well.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;
constexpr int kTicksUntilForgotten = 240;
constexpr long kTickNs = 250'000'000;

struct Connection {
    std::string inbox;
    std::string outbox;
};

class CounterServer {
public:
    explicit CounterServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          listener_(listener),
          timer_fd_(demo::check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create"))
    {
        itimerspec every{};
        every.it_value.tv_nsec = every.it_interval.tv_nsec = kTickNs;
        demo::check(timerfd_settime(timer_fd_, 0, &every, nullptr), "timerfd_settime");
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
        watch(EPOLL_CTL_ADD, timer_fd_, EPOLLIN);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i)
                dispatch(events[i].data.fd, events[i].events);
        }
    }

private:
    void dispatch(int fd, uint32_t events)
    {
        if (fd == listener_)
            return on_connect();
        if (fd == timer_fd_)
            return on_tick();
        if (events & (EPOLLHUP | EPOLLERR))
            return disconnect(fd);
        if ((events & EPOLLIN) && !on_input(fd))
            return disconnect(fd);
        if (events & EPOLLOUT)
            on_output(fd);
    }

    void watch(int operation, int fd, uint32_t mask)
    {
        epoll_event ev{};
        ev.events = mask;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, operation, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        connections_[fd] = {};
        watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
    }

    void on_tick()
    {
        uint64_t expirations = 0;
        if (read(timer_fd_, &expirations, sizeof expirations) < 0)
            return;
        if (++ticks_ % kTicksUntilForgotten == 0)
            counters_.clear();
    }

    // Reads until EAGAIN, as EPOLLET demands. False: the client has gone.
    bool on_input(int fd)
    {
        Connection& connection = connections_[fd];
        char bytes[256];
        ssize_t n = 0;
        while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
            connection.inbox.append(bytes, static_cast<size_t>(n));
        if (n == 0 || errno != EAGAIN)
            return false;
        for (size_t end; (end = connection.inbox.find('\n')) != std::string::npos;) {
            const std::string name = connection.inbox.substr(0, end);
            connection.inbox.erase(0, end + 1);
            connection.outbox += std::to_string(++counters_[name]) + "\n";
        }
        if (!connection.outbox.empty())
            wait_for_room(fd);
        return true;
    }

    void wait_for_room(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLOUT | EPOLLET;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &ev), "epoll_ctl");
    }

    void on_output(int fd)
    {
        Connection& connection = connections_[fd];
        while (!connection.outbox.empty()) {
            const ssize_t n = send(fd, connection.outbox.data(), connection.outbox.size(), MSG_NOSIGNAL);
            if (n < 0)
                return;  // EAGAIN: the next edge goes on
            connection.outbox.erase(0, static_cast<size_t>(n));
        }
        watch(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET);
    }

    void disconnect(int fd)
    {
        connections_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    const int timer_fd_;
    int ticks_ = 0;
    std::map<std::string, int> counters_;
    std::unordered_map<int, Connection> connections_;
};

// Clients that ask once, get their answer, ask again, and wait.
void drive(demo::Client& client)
{
    std::vector<int> connections;
    for (int i = 0; i < 4; ++i)
        connections.push_back(client.connect());
    for (const int fd : connections) {
        client.send(fd, "visits\n");
        client.receive(fd);
    }
    client.ready();
    for (const int fd : connections)
        client.send(fd, "visits\n");
    client.receive_all(connections);
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    CounterServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
