// A line counter: it reads whatever a client sends and answers each piece with the lines so far.
//
// The fix: accept4() makes the socket non-blocking, so that reading until EAGAIN ends.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

class LineCounter {
public:
    explicit LineCounter(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_, EPOLLIN);
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
                    on_readable(events[i].data.fd);
                }
            }
        }
    }

private:
    void watch(int fd, uint32_t interest)
    {
        epoll_event ev{};
        ev.events = interest;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);  // expect: none
        if (fd < 0)
            return;
        watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
        lines_[fd] = 0;
    }

    void on_readable(int fd)
    {
        char text[512];
        for (;;) {
            const ssize_t n = recv(fd, text, sizeof text, 0);
            if (n < 0 && errno == EAGAIN)
                return;
            if (n <= 0)
                break;
            lines_[fd] += static_cast<unsigned>(std::count(text, text + n, '\n'));
            char reply[32];
            const int size = snprintf(reply, sizeof reply, "%u lines\n", lines_[fd]);
            if (send(fd, reply, static_cast<size_t>(size), MSG_NOSIGNAL) < 0)
                break;
        }
        lines_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, unsigned> lines_;
};

// One client that thinks before it types.
void drive(demo::Client& client)
{
    const int fd = client.connect();
    while (client.running()) {
        client.send(fd, "one\ntwo\n");
        client.receive(fd);
        client.ready();
        client.pause(1500);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    LineCounter server(listener);
    server.run(run.deadline());
    return run.finish();
}
