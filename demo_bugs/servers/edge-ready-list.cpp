// An edge-triggered server that is fair: it reads one chunk per connection and turn, and keeps those that may have
// more on a ready list of its own. It leaves input unread after an edge on purpose, and comes back without being told.
//
// expect: none
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <list>
#include <string>
#include <vector>

#include "common/demo.h"

namespace {

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_, EPOLLIN | EPOLLET);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[16];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, 16, ready_.empty() ? deadline.remaining_ms() : 0);
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    make_ready(events[i].data.fd);
                }
            }
            for (auto at = ready_.begin(); at != ready_.end();)
                at = one_chunk(*at) ? std::next(at) : ready_.erase(at);
        }
    }

private:
    void watch(int fd, uint32_t mask)
    {
        epoll_event ev{};
        ev.events = mask;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
            watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
        }
    }

    void make_ready(int fd)
    {
        for (const int other : ready_) {
            if (other == fd)
                return;
        }
        ready_.push_back(fd);
    }

    // False: leave the ready list, there is nothing more for now.
    bool one_chunk(int fd)
    {
        char chunk[4096];
        const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n > 0)
            return true;
        if (n == 0 || errno != EAGAIN)
            close(fd);
        return false;
    }

    const int epoll_fd_;
    const int listener_;
    std::list<int> ready_;
};

void drive(demo::Client& client)
{
    std::vector<int> fds;
    for (int i = 0; i < 4; ++i)
        fds.push_back(client.connect());
    const std::string block(100000, 'b');
    client.ready();
    while (client.running()) {
        for (const int fd : fds)
            client.send(fd, block);
        client.pause(20);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Server(listener).run(run.deadline());
    return run.finish();
}
