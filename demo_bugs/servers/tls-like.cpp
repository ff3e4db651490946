// A protocol like TLS: a record can only be read after a reply to it has gone out, so while output is blocked the
// server waits for EPOLLOUT in order to *read*, and input stays unread meanwhile.
//
// expect: none
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr size_t kReply = 1 << 20;

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        set(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[16];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, 16, deadline.remaining_ms());
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                    if (fd >= 0)
                        set(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP);
                } else {
                    on_event(events[i].data.fd);
                }
            }
        }
    }

private:
    void set(int operation, int fd, uint32_t mask)
    {
        epoll_event ev{};
        ev.events = mask;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, operation, fd, &ev), "epoll_ctl");
    }

    void on_event(int fd)
    {
        std::string& owed = owed_[fd];
        const bool was_blocked = !owed.empty();
        bool open = flush(fd, owed);
        if (open && owed.empty()) {
            char record[64];
            const ssize_t n = recv(fd, record, sizeof record, 0);
            open = n > 0 || (n < 0 && errno == EAGAIN);
            if (n > 0)
                owed.assign(kReply, 'r');
            open = open && flush(fd, owed);
        }
        if (!open) {
            owed_.erase(fd);
            close(fd);
            return;
        }
        const bool blocked = !owed.empty();
        if (blocked != was_blocked)
            set(EPOLL_CTL_MOD, fd, blocked ? EPOLLOUT : EPOLLIN | EPOLLRDHUP);
    }

    bool flush(int fd, std::string& owed)
    {
        while (!owed.empty()) {
            const ssize_t n = send(fd, owed.data(), owed.size(), MSG_NOSIGNAL);
            if (n < 0)
                return errno == EAGAIN;
            owed.erase(0, static_cast<size_t>(n));
        }
        return true;
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, std::string> owed_;
};

// Many records at once, and a peer that is slow to read the replies.
void drive(demo::Client& client)
{
    const int fd = client.connect();
    client.send(fd, std::string(640, 'q'));
    client.ready();
    while (client.running()) {
        client.pause(300);
        for (int i = 0; i < 60; ++i)
            client.receive(fd, 10);
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
