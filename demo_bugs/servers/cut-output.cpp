// A file service over edge-triggered sockets. It writes what fits, keeps the rest for later, and relies on an
// EPOLLOUT that it never asked for: downloads larger than the send buffer stop half-way.
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr size_t kFileSize = 32 << 20;

struct Download {
    size_t sent = 0;
};

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_, EPOLLIN);
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
                        watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
                } else {
                    on_event(events[i].data.fd);
                }
            }
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

    void on_event(int fd)
    {
        char request[256];
        ssize_t n;
        while ((n = recv(fd, request, sizeof request, 0)) > 0)
            downloads_[fd] = {};
        if (n == 0 || errno != EAGAIN) {
            downloads_.erase(fd);
            close(fd);
            return;
        }
        push(fd, downloads_[fd]);
    }

    void push(int fd, Download& download)
    {
        while (download.sent < file_.size()) {
            const size_t left = file_.size() - download.sent;
            const ssize_t n = send(fd, file_.data() + download.sent, left, MSG_NOSIGNAL);  // expect: EP105 likely
            if (n < 0)
                return;
            download.sent += static_cast<size_t>(n);
        }
    }

    const int epoll_fd_;
    const int listener_;
    const std::string file_ = std::string(kFileSize, 'f');
    std::unordered_map<int, Download> downloads_;
};

// Until the sockets hold as much as they can: something has come, and for a while nothing more.
void wait_until_full(const demo::Client& client, int fd)
{
    for (int unread = 0, before = 0; client.running() && (unread == 0 || unread != before);) {
        before = unread;
        client.pause(100);
        demo::check(ioctl(fd, FIONREAD, &unread), "FIONREAD");
    }
}

// One downloads, is slow to begin, and then reads as fast as it can; others come and go.
void drive(demo::Client& client)
{
    const int fd = client.connect();
    client.send(fd, "get\n");
    client.ready();
    wait_until_full(client, fd);
    while (client.running()) {
        const int guest = client.connect();
        for (int i = 0; i < 100; ++i)
            client.receive(fd, 1);
        client.close(guest);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    Server server(listener);
    run.start_client(drive);
    server.run(run.deadline());
    return run.finish();
}
