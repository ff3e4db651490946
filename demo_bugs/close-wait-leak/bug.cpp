// A clock server: a client asks for the time, gets it, and leaves.
//
// The mistake: at the end of the stream the connection is taken out of the epoll set and forgotten,
// but never closed. Each client leaves behind a descriptor and a socket in CLOSE_WAIT, until
// accept() fails with EMFILE some hours later.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr int kDefaultSeconds = 8;  // a leak is only told from a slow close by its growth
constexpr int kMaxEvents = 64;

struct Connection {
    int fd = -1;
    unsigned requests = 0;
};

class ClockServer {
public:
    explicit ClockServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    on_readable(connections_.at(events[i].data.fd));
                }
            }
        }
        fprintf(stderr, "%u clients served, %zu connected at the end\n", served_, connections_.size());
    }

private:
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

    void on_readable(Connection& connection)
    {
        char request[256];
        const ssize_t n = recv(connection.fd, request, sizeof request, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            disconnect(connection);
            return;
        }
        ++connection.requests;
        if (!send_time(connection.fd))
            disconnect(connection);
    }

    bool send_time(int fd)
    {
        const time_t now = time(nullptr);
        tm parts{};
        char reply[64];
        const size_t size = strftime(reply, sizeof reply, "%FT%TZ\n", gmtime_r(&now, &parts));
        return send(fd, reply, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
    }

    void disconnect(const Connection& connection)
    {
        const int fd = connection.fd;
        // expect: EP302 confirmed
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr), "epoll_ctl");
        served_ += connection.requests > 0;
        connections_.erase(fd);
    }

    const int epoll_fd_;
    const int listener_;
    unsigned served_ = 0;
    std::unordered_map<int, Connection> connections_;
};

// About twelve clients a second.
void drive(demo::Client& client)
{
    while (client.running()) {
        const int fd = client.connect();
        client.send(fd, "time\n");
        client.receive(fd);
        client.close(fd);
        client.ready();
        client.pause(80);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv, kDefaultSeconds);
    const int listener = run.listen();
    run.start_client(drive);
    ClockServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
