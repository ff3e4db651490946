// A chat server that keeps its clients connected, on a machine that grants it few descriptors.
//
// The fix: on EMFILE the listener is taken out of the epoll set; it comes back when a client leaves.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <unordered_set>
#include <vector>

#include "common/demo.h"

namespace {

constexpr rlim_t kDescriptors = 24;
constexpr int kMaxEvents = 64;

class ChatServer {
public:
    explicit ChatServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    on_readable(events[i].data.fd);
                }
            }
        }
    }

private:
    void watch(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE) {
                fprintf(stderr, "too many clients\n");
                // expect: none
                demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, listener_, nullptr), "epoll_ctl");
                paused_ = true;
            }
            return;
        }
        watch(fd);
        clients_.insert(fd);
    }

    void on_readable(int fd)
    {
        char text[512];
        const ssize_t n = recv(fd, text, sizeof text, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0) {
            for (const int other : clients_) {
                if (send(other, text, static_cast<size_t>(n), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                    continue;
            }
            return;
        }
        clients_.erase(fd);
        close(fd);
        if (paused_)
            watch(listener_);
        paused_ = false;
    }

    const int epoll_fd_;
    const int listener_;
    bool paused_ = false;
    std::unordered_set<int> clients_;
};

// More clients than there are descriptors; now and then one of them says something.
void drive(demo::Client& client)
{
    std::vector<int> fds;
    for (int i = 0; i < 40; ++i)
        fds.push_back(client.connect());
    client.ready();
    while (client.running()) {
        client.send(fds.front(), "hello\n");
        client.pause(500);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    const rlimit few{kDescriptors, kDescriptors};
    demo::check(setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
    ChatServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
