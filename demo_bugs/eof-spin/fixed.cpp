// An echo server.
//
// expect: none
// recv() returning 0 is the end of the stream: the connection is closed.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

struct Connection {
    int fd;
    uint64_t echoed = 0;
};

class EchoServer {
public:
    explicit EchoServer(int listener)
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
        while (true) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                if (errno == EAGAIN)
                    return;
                demo::die("accept4");
            }
            watch(fd);
            connections_.emplace(fd, Connection{fd});
        }
    }

    void on_readable(Connection& connection)
    {
        char buffer[4096];
        while (true) {
            const ssize_t n = recv(connection.fd, buffer, sizeof buffer, 0);
            if (n < 0 && errno == EAGAIN)
                return;  // all read, wait for more
            if (n <= 0) {
                disconnect(connection);
                return;
            }
            // A peer that sends without reading its echo fills our send buffer: not worth a queue here.
            if (send(connection.fd, buffer, static_cast<size_t>(n), MSG_NOSIGNAL) != n) {
                disconnect(connection);
                return;
            }
            connection.echoed += static_cast<uint64_t>(n);
        }
    }

    void disconnect(const Connection& connection)
    {
        const int fd = connection.fd;
        connections_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, Connection> connections_;
};

// Says something, declares that it will say no more, and waits for the server to close.
void drive(demo::Client& client)
{
    while (client.running()) {
        const int fd = client.connect();
        client.send(fd, "hello\n");
        client.receive(fd);
        client.half_close(fd);
        client.ready();
        client.receive(fd);
        client.close(fd);
        client.pause(300);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    EchoServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
