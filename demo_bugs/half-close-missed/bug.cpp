// A long-poll server: a client asks for the next headline and is parked until there is one.
//
// The mistake: a parked connection is watched for nothing at all. When its client gives up and
// closes, the FIN is not reported (only EPOLLIN or EPOLLRDHUP would); the connection stays in
// CLOSE_WAIT and keeps its place until the next headline, which may be hours away.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/demo.h"

namespace {

constexpr time_t kHeadlineSeconds = 30;
constexpr int kMaxEvents = 64;

struct Connection {
    int fd = -1;
    bool parked = false;
};

class HeadlineServer {
public:
    explicit HeadlineServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          listener_(listener),
          timer_fd_(demo::check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create"))
    {
        itimerspec every{};
        every.it_value.tv_sec = every.it_interval.tv_sec = kHeadlineSeconds;
        demo::check(timerfd_settime(timer_fd_, 0, &every, nullptr), "timerfd_settime");
        watch(listener_);
        watch(timer_fd_);
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
        fprintf(stderr, "%zu clients connected at the end\n", connections_.size());
    }

private:
    void dispatch(int fd, uint32_t events)
    {
        if (fd == listener_) {
            on_connect();
        } else if (fd == timer_fd_) {
            on_headline();
        } else if (const auto it = connections_.find(fd); it != connections_.end()) {
            if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                disconnect(fd);
            } else {
                on_request(it->second);
            }
        }
    }

    void watch(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        watch(fd);
        connections_[fd].fd = fd;
    }

    void on_request(Connection& connection)
    {
        char request[256];
        const ssize_t n = recv(connection.fd, request, sizeof request, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            disconnect(connection.fd);
            return;
        }
        park(connection);
    }

    // No more requests are read from it until the headline is out.
    void park(Connection& connection)
    {
        connection.parked = true;
        epoll_event ev{};
        ev.events = 0;
        ev.data.fd = connection.fd;
        // expect: EP301 likely, armed here
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd, &ev), "epoll_ctl");
    }

    void unpark(Connection& connection)
    {
        connection.parked = false;
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = connection.fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd, &ev), "epoll_ctl");
    }

    void on_headline()
    {
        uint64_t expirations = 0;
        if (read(timer_fd_, &expirations, sizeof expirations) < 0)
            return;
        constexpr std::string_view kHeadline = "nothing happened\n";
        std::vector<int> lost;
        for (auto& [fd, connection] : connections_) {
            if (!connection.parked)
                continue;
            if (send(fd, kHeadline.data(), kHeadline.size(), MSG_NOSIGNAL) < 0) {
                lost.push_back(fd);
            } else {
                unpark(connection);
            }
        }
        for (const int fd : lost)
            disconnect(fd);
    }

    void disconnect(int fd)
    {
        connections_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    const int timer_fd_;
    std::unordered_map<int, Connection> connections_;
};

// Client after client asks for a headline and loses patience.
void drive(demo::Client& client)
{
    while (client.running()) {
        const int fd = client.connect();
        client.send(fd, "next\n");
        client.receive(fd, 100);
        client.close(fd);
        client.ready();
        client.pause(150);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    HeadlineServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
