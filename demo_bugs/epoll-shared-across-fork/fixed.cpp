// A store that answers "get" at once and writes a "snapshot" in a child process, which has a copy of
// all data for free.
//
// expect: none
// The child only closes what it does not need, the epoll first. close() in the child does nothing to
// the parent's registrations; EPOLL_CTL_DEL would.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>
#include <string_view>
#include <thread>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

class Store {
public:
    explicit Store(int listener)
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

    ~Store()
    {
        if (snapshot_ <= 0)
            return;
        kill(snapshot_, SIGKILL);
        waitpid(snapshot_, nullptr, 0);
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
        if (fd < 0)
            return;
        watch(fd);
        connections_.insert(fd);
    }

    void on_readable(int fd)
    {
        char request[256];
        const ssize_t n = recv(fd, request, sizeof request, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            disconnect(fd);
            return;
        }
        if (std::string_view(request, static_cast<size_t>(n)).starts_with("snapshot"))
            start_snapshot();
        send(fd, "ok\n", 3, MSG_NOSIGNAL);
    }

    void disconnect(int fd)
    {
        epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
        connections_.erase(fd);
        close(fd);
    }

    void start_snapshot()
    {
        snapshot_ = demo::check(fork(), "fork");
        if (snapshot_ != 0)
            return;
        demo::check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
        close(epoll_fd_);
        for (const int fd : connections_)
            close(fd);
        close(listener_);
        std::this_thread::sleep_for(std::chrono::seconds(10));  // stands for writing a large file
        _exit(0);
    }

    const int epoll_fd_;
    const int listener_;
    pid_t snapshot_ = 0;
    std::set<int> connections_;
};

// Three clients ask again and again; after a while somebody orders a snapshot.
void drive(demo::Client& client)
{
    const int clients[] = {client.connect(), client.connect(), client.connect()};
    for (int i = 0; client.running(); ++i) {
        if (i == 30)
            client.send(clients[0], "snapshot\n");
        for (const int fd : clients)
            client.send(fd, "get\n");
        client.pause(10);
        for (const int fd : clients)
            client.receive(fd, 0);
        if (i == 40)
            client.ready();
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    {
        Store store(listener);
        store.run(run.deadline());
    }
    return run.finish();
}
