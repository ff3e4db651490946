// An event loop that asks a backend in the middle of a handler, and waits for its answer right there: for as long
// as the backend thinks, nobody else is served.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "common/demo.h"

namespace {

// The backend: takes 600 ms for an answer.
void answer_slowly(int fd)
{
    char byte;
    while (read(fd, &byte, 1) == 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(600));
        if (write(fd, &byte, 1) != 1)
            break;
    }
    close(fd);
}

void drive(demo::Client& client)
{
    const int reports = client.connect();
    std::vector<int> pings;
    for (int i = 0; i < 4; ++i)
        pings.push_back(client.connect());
    client.ready();
    while (client.running()) {
        client.send(reports, "report\n");
        client.pause(20);
        for (const int fd : pings)
            client.send(fd, "ping\n");
        for (const int fd : pings)
            client.receive(fd);
        client.receive(reports);
        client.pause(100);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    int backend[2];
    demo::check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, backend), "socketpair");
    std::thread worker(answer_slowly, backend[1]);
    const int epoll_fd = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event ev{};
    ev.events = EPOLLIN;
    ev.data.fd = listener;
    demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev), "epoll_ctl");
    while (!run.deadline().passed()) {
        if (epoll_wait(epoll_fd, &ev, 1, run.deadline().remaining_ms()) != 1)
            continue;
        if (ev.data.fd == listener) {
            const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            ev.events = EPOLLIN | EPOLLRDHUP;
            ev.data.fd = fd;
            if (fd >= 0)
                demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
            continue;
        }
        char line[64];
        const ssize_t n = recv(ev.data.fd, line, sizeof line, 0);
        if (n <= 0) {
            close(ev.data.fd);
            continue;
        }
        if (line[0] == 'r') {
            char byte = 0;
            if (write(backend[0], &byte, 1) != 1 || read(backend[0], &byte, 1) != 1)  // expect: EP404 likely
                break;
        }
        send(ev.data.fd, "ok\n", 3, MSG_NOSIGNAL);
    }
    shutdown(backend[0], SHUT_RDWR);
    worker.join();
    return run.finish();
}
