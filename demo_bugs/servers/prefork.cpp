// A pre-fork server of the old school: the parent listens, the children inherit the listener and each puts it into
// an epoll of its own. The kernel wakes them all for every connection; one gets it.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/demo.h"

namespace {

constexpr int kChildren = 8;

void serve(int listener, const demo::Deadline& deadline)
{
    const int epoll_fd = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event ev{};
    ev.events = EPOLLIN;  // expect: EP401 likely
    ev.data.fd = listener;
    demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev), "epoll_ctl");
    while (!deadline.passed()) {
        if (epoll_wait(epoll_fd, &ev, 1, deadline.remaining_ms()) != 1)
            continue;
        const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        send(fd, "hello\n", 6, MSG_NOSIGNAL);
        close(fd);
    }
}

void drive(demo::Client& client)
{
    client.ready();
    while (client.running()) {
        const int fd = client.connect();
        client.receive(fd);
        client.close(fd);
        client.pause(1);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    for (int i = 1; i < kChildren; ++i) {
        if (demo::check(fork(), "fork") == 0) {
            serve(listener, run.deadline());
            _exit(0);
        }
    }
    serve(listener, run.deadline());
    const int status = run.finish();
    while (wait(nullptr) > 0)
        continue;
    return status;
}
