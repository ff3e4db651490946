// Rung 2: edge-triggered. Told once for both directions, and never again until something changes: read to
// EAGAIN, and when the output was blocked, go on reading only after it has gone.
//
// expect: none
#include "ladder/echo.h"

namespace {

constexpr uint32_t kMask = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        ladder::arm(epoll_fd_, EPOLL_CTL_ADD, listener_, EPOLLIN | EPOLLET, nullptr);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[64];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, 64, deadline.remaining_ms());
            for (int i = 0; i < n; ++i) {
                if (auto* connection = static_cast<ladder::Connection*>(events[i].data.ptr)) {
                    on_event(connection);
                } else {
                    on_connect();
                }
            }
        }
    }

private:
    void on_connect()
    {
        for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
            auto* connection = new ladder::Connection(fd);
            ladder::arm(epoll_fd_, EPOLL_CTL_ADD, fd, kMask, connection);
        }
    }

    void on_event(ladder::Connection* connection)
    {
        if (connection->flush()) {
            while (connection->step())
                continue;
        }
        if (connection->over())
            delete connection;
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
