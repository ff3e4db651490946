// Rung 3: a thread pool on one epoll. EPOLLONESHOT gives a connection to one thread at a time; every way out of
// the handler either re-arms it or closes it.
//
// expect: none
#include <thread>

#include "ladder/echo.h"

namespace {

constexpr int kThreads = 3;

class Pool {
public:
    explicit Pool(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        ladder::arm(epoll_fd_, EPOLL_CTL_ADD, listener_, EPOLLIN | EPOLLONESHOT, nullptr);
    }

    void run(const demo::Deadline& deadline)
    {
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i)
            threads.emplace_back([this, &deadline] { serve(deadline); });
        for (std::thread& thread : threads)
            thread.join();
    }

private:
    void serve(const demo::Deadline& deadline)
    {
        while (!deadline.passed()) {
            epoll_event ev;
            if (epoll_wait(epoll_fd_, &ev, 1, deadline.remaining_ms()) != 1)
                continue;
            if (auto* connection = static_cast<ladder::Connection*>(ev.data.ptr)) {
                on_event(connection, ev.events);
            } else {
                on_connect();
            }
        }
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            auto* connection = new ladder::Connection(fd);
            ladder::arm(epoll_fd_, EPOLL_CTL_ADD, fd, connection->wanted() | EPOLLONESHOT, connection);
        }
        ladder::arm(epoll_fd_, EPOLL_CTL_MOD, listener_, EPOLLIN | EPOLLONESHOT, nullptr);
    }

    void on_event(ladder::Connection* connection, uint32_t events)
    {
        if (events & EPOLLOUT) {
            connection->flush();
        } else {
            connection->step();
        }
        if (connection->over()) {
            delete connection;
        } else {
            ladder::arm(epoll_fd_, EPOLL_CTL_MOD, connection->fd(), connection->wanted() | EPOLLONESHOT, connection);
        }
    }

    const int epoll_fd_;
    const int listener_;
};

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(ladder::drive);
    Pool(listener).run(run.deadline());
    return run.finish();
}
