// Rung 1: level-triggered. The kernel repeats itself until the input is read, so one read per event will do.
//
// expect: none
#include "ladder/echo.h"

namespace {

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        ladder::arm(epoll_fd_, EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[64];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, 64, deadline.remaining_ms());
            for (int i = 0; i < n; ++i) {
                if (auto* connection = static_cast<ladder::Connection*>(events[i].data.ptr)) {
                    on_event(connection, events[i].events);
                } else {
                    on_connect();
                }
            }
        }
    }

private:
    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        auto* connection = new ladder::Connection(fd);
        ladder::arm(epoll_fd_, EPOLL_CTL_ADD, fd, connection->wanted(), connection);
    }

    void on_event(ladder::Connection* connection, uint32_t events)
    {
        const uint32_t before = connection->wanted();
        if (events & EPOLLOUT) {
            connection->flush();
        } else {
            connection->step();
        }
        if (connection->over()) {
            delete connection;
        } else if (connection->wanted() != before) {
            ladder::arm(epoll_fd_, EPOLL_CTL_MOD, connection->fd(), connection->wanted(), connection);
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
    Server(listener).run(run.deadline());
    return run.finish();
}
