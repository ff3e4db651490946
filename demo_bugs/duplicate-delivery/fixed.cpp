// A key-value front end: four threads wait on one epoll, whoever is free takes the next request.
//
// The fix: EPOLLONESHOT gives a connection to one thread until that thread re-arms it.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kThreads = 4;
constexpr int kMaxEvents = 1;
constexpr std::chrono::milliseconds kLookUp{3};

class FrontEnd {
public:
    explicit FrontEnd(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN | EPOLLONESHOT);
    }

    void run(const demo::Deadline& deadline)
    {
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i)
            threads.emplace_back([&] { serve(deadline); });
        for (std::thread& thread : threads)
            thread.join();
    }

private:
    void serve(const demo::Deadline& deadline)
    {
        epoll_event event;
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, &event, kMaxEvents, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            if (n <= 0)
                continue;
            if (event.data.fd == listener_) {
                on_connect();
            } else {
                on_request(event.data.fd);
            }
        }
    }

    void watch(int operation, int fd, uint32_t interest)
    {
        epoll_event ev{};
        ev.events = interest;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, operation, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT);  // expect: none
        watch(EPOLL_CTL_MOD, listener_, EPOLLIN | EPOLLONESHOT);
    }

    // Stands for a call to the user database.
    static void look_up_permissions() { std::this_thread::sleep_for(kLookUp); }

    void on_request(int fd)
    {
        look_up_permissions();
        char request[256];
        const ssize_t n = recv(fd, request, sizeof request, 0);
        const bool again = n < 0 && errno == EAGAIN;
        if (again || (n > 0 && send(fd, "value\n", 6, MSG_NOSIGNAL) == 6)) {
            watch(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT);
        } else {
            close(fd);
        }
    }

    const int epoll_fd_;
    const int listener_;
};

void drive(demo::Client& client)
{
    const int first = client.connect();
    const int second = client.connect();
    while (client.running()) {
        client.send(first, "get a\n");
        client.receive(first);
        client.send(second, "get b\n");
        client.receive(second);
        client.ready();
        client.pause(2);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    FrontEnd server(listener);
    server.run(run.deadline());
    return run.finish();
}
