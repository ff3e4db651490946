// A relay: connections are paired in the order in which they come, and what one sends the other one
// gets. When one of a pair leaves, both are closed.
//
// expect: none
// Both of a pair may leave at the same time, and then one batch holds an event for each. They are
// closed after the batch: until then their numbers cannot be reused, and their events are skipped.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

class Relay {
public:
    explicit Relay(int listener)
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
                    on_readable(events[i].data.fd);
                }
            }
            for (const int fd : leaving_)
                close(fd);
            leaving_.clear();
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
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        watch(fd);
        if (single_ < 0) {
            single_ = fd;
            return;
        }
        partner_[fd] = single_;
        partner_[single_] = fd;
        single_ = -1;
    }

    void on_readable(int fd)
    {
        if (leaving_.contains(fd))
            return;
        char chunk[4096];
        const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        const auto partner = partner_.find(fd);
        if (n > 0 && partner != partner_.end()) {
            if (send(partner->second, chunk, static_cast<size_t>(n), MSG_NOSIGNAL) == n)
                return;
        }
        hang_up(fd);
    }

    void hang_up(int fd)
    {
        if (fd == single_) {
            single_ = -1;
            leaving_.insert(fd);
            return;
        }
        const auto found = partner_.find(fd);
        if (found == partner_.end())
            return;
        const int partner = found->second;
        partner_.erase(fd);
        partner_.erase(partner);
        leaving_.insert(fd);
        leaving_.insert(partner);
    }

    const int epoll_fd_;
    const int listener_;
    int single_ = -1;  // waits for a partner
    std::unordered_map<int, int> partner_;
    std::unordered_set<int> leaving_;
};

// Pairs meet, exchange a word and leave at the same time.
void drive(demo::Client& client)
{
    while (client.running()) {
        const int one = client.connect();
        const int other = client.connect();
        client.send(one, "hello\n");
        client.receive(other);
        demo::check(close_range(one, other, 0), "close_range");  // in one call: both ends are news at once
        client.ready();
        client.pause(5);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Relay relay(listener);
    relay.run(run.deadline());
    return run.finish();
}
