// A heartbeat server: answers pings and sends every client a heartbeat each 500 ms.
//
// The mistake: the loop must not miss the heartbeat, so it polls with timeout 0 and looks at the clock
// itself. It does so hundreds of thousands of times a second, on a whole core.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <unordered_set>

#include "common/demo.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kBeat{500};
constexpr int kMaxEvents = 64;

class HeartbeatServer {
public:
    explicit HeartbeatServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, 0);  // expect: EP206 info, waits here
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    on_readable(events[i].data.fd);
                }
            }
            if (Clock::now() >= next_beat_)
                beat();
        }
    }

private:
    void watch(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLRDHUP;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        watch(fd);
        clients_.insert(fd);
    }

    void on_readable(int fd)
    {
        char ping[256];
        const ssize_t n = recv(fd, ping, sizeof ping, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0 && send(fd, ping, static_cast<size_t>(n), MSG_NOSIGNAL) == n)
            return;
        clients_.erase(fd);
        close(fd);
    }

    void beat()
    {
        next_beat_ += kBeat;
        for (const int fd : clients_) {
            if (send(fd, "*\n", 2, MSG_NOSIGNAL) < 0)
                continue;  // a client that left is told by EPOLLRDHUP
        }
    }

    const int epoll_fd_;
    const int listener_;
    Clock::time_point next_beat_ = Clock::now() + kBeat;
    std::unordered_set<int> clients_;
};

void drive(demo::Client& client)
{
    const int fd = client.connect();
    while (client.running()) {
        client.send(fd, "ping\n");
        client.receive(fd);
        client.ready();
        client.pause(200);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    HeartbeatServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
