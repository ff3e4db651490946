// A line server that wraps each connection in a FILE for its replies: fdopen(dup(fd)). On hang-up it closes fd and
// forgets the FILE. The registration lives on with the open file description, and its events name a number that
// is no longer open.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <unordered_map>

#include "common/demo.h"

namespace {

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_, EPOLLIN);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event ev;
        while (!deadline.passed()) {
            if (epoll_wait(epoll_fd_, &ev, 1, deadline.remaining_ms()) != 1)
                continue;
            if (ev.data.fd == listener_) {
                on_connect();
            } else {
                on_line(ev.data.fd);
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

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        replies_[fd] = fdopen(demo::check(dup(fd), "dup"), "w");
        watch(fd, EPOLLIN | EPOLLRDHUP);
    }

    void on_line(int fd)
    {
        char line[256];
        const ssize_t n = recv(fd, line, sizeof line, 0);
        if (n <= 0) {
            epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);  // after the first time: EBADF, and nobody looks
            close(fd);                                         // expect: EP303 confirmed
            return;
        }
        fprintf(replies_[fd], "%d bytes\n", static_cast<int>(n));
        fflush(replies_[fd]);
        if (line[0] == 'q')
            close(fd);  // a quick way out, without DEL
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, FILE*> replies_;
};

void drive(demo::Client& client)
{
    const int fd = client.connect();
    client.send(fd, "hello\n");
    client.receive(fd);
    client.send(fd, "quit\n");
    client.receive(fd);
    client.ready();
    client.half_close(fd);
    client.receive_all({fd});
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
