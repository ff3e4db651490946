// A chat server at its limit of descriptors. accept() fails with EMFILE, the connection stays in the backlog, and
// the level-triggered listener is reported again at once.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "common/demo.h"

namespace {

constexpr int kRoom = 24;
constexpr int kGuests = 40;

void drive(demo::Client& client)
{
    std::vector<int> guests;
    for (int i = 0; i < kGuests; ++i)
        guests.push_back(client.connect());
    client.ready();
    client.receive_all(guests);
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    const rlimit room{kRoom, kRoom};
    demo::check(setrlimit(RLIMIT_NOFILE, &room), "setrlimit");
    const int epoll_fd = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event ev{};
    ev.events = EPOLLIN;
    ev.data.fd = listener;
    demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev), "epoll_ctl");
    while (!run.deadline().passed()) {
        if (epoll_wait(epoll_fd, &ev, 1, run.deadline().remaining_ms()) != 1)
            continue;
        if (ev.data.fd != listener) {
            char buffer[512];
            if (recv(ev.data.fd, buffer, sizeof buffer, 0) <= 0)
                close(ev.data.fd);
            continue;
        }
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);  // expect: EP205 confirmed
        if (fd < 0)
            continue;
        ev.events = EPOLLIN | EPOLLRDHUP;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }
    return run.finish();
}
