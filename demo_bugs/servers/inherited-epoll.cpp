// A daemon that makes its event loop first and forks its workers afterwards. All of them wait on the one epoll
// instance of the parent, and what one registers the others are told of.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/demo.h"

namespace {

constexpr int kWorkers = 2;

void serve(int epoll_fd, int listener, const demo::Deadline& deadline)
{
    epoll_event ev;
    while (!deadline.passed()) {
        if (epoll_wait(epoll_fd, &ev, 1, deadline.remaining_ms()) != 1)
            continue;
        if (ev.data.fd == listener) {
            const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            ev.events = EPOLLIN | EPOLLRDHUP;
            ev.data.fd = fd;
            demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
            continue;
        }
        char line[64];
        // Both are told of each message (expect: EP402 likely), and one of them has no such socket.
        const ssize_t n = recv(ev.data.fd, line, sizeof line, 0);  // expect: EP503 likely
        if (n > 0) {
            send(ev.data.fd, "ok\n", 3, MSG_NOSIGNAL);
        } else if (n == 0) {
            close(ev.data.fd);
        }
    }
}

void drive(demo::Client& client)
{
    const int fds[] = {client.connect(), client.connect(), client.connect()};
    client.ready();
    while (client.running()) {
        for (const int fd : fds)
            client.send(fd, "hello\n");
        for (const int fd : fds)
            client.receive(fd, 100);
        client.pause(50);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    const int epoll_fd = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event ev{};
    ev.events = EPOLLIN;
    ev.data.fd = listener;
    demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev), "epoll_ctl");
    for (int i = 1; i < kWorkers; ++i) {
        if (demo::check(fork(), "fork") == 0) {
            serve(epoll_fd, listener, run.deadline());
            _exit(0);
        }
    }
    serve(epoll_fd, listener, run.deadline());
    const int status = run.finish();
    while (wait(nullptr) > 0)
        continue;
    return status;
}
