// A pre-forking web server: the workers share one listener, each has its own epoll.
//
// The mistake: the listener is in every worker's epoll set without EPOLLEXCLUSIVE, so each new
// connection wakes all idle workers. One of them accepts it; the others find nothing and go back
// to sleep.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kWorkers = 12;
constexpr int kMaxEvents = 64;

struct Connection {
    int fd = -1;
    unsigned requests = 0;
};

class Worker {
public:
    explicit Worker(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = listener_;
        // expect: EP401 confirmed, armed here
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listener_, &ev), "epoll_ctl");
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
                    on_readable(connections_.at(events[i].data.fd));
                }
            }
        }
    }

private:
    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED)
                return;  // another worker was faster
            demo::die("accept4");
        }
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLRDHUP;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
        connections_[fd].fd = fd;
    }

    void on_readable(Connection& connection)
    {
        char request[1024];
        const ssize_t n = recv(connection.fd, request, sizeof request, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            disconnect(connection);
            return;
        }
        ++connection.requests;
        constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        if (send(connection.fd, kReply.data(), kReply.size(), MSG_NOSIGNAL) < 0)
            disconnect(connection);
    }

    void disconnect(const Connection& connection)
    {
        const int fd = connection.fd;
        connections_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, Connection> connections_;
};

pid_t start_worker(int listener, const demo::Deadline& deadline)
{
    const pid_t master = getpid();
    const pid_t pid = demo::check(fork(), "fork");
    if (pid != 0)
        return pid;
    demo::check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    if (getppid() != master)
        _exit(0);  // the master was gone before prctl
    Worker worker(listener);
    worker.run(deadline);
    _exit(0);
}

// One short request after the other, with a pause that lets all workers fall asleep again.
void drive(demo::Client& client)
{
    while (client.running()) {
        const int fd = client.connect();
        client.send(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.receive(fd);
        client.close(fd);
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
    std::vector<pid_t> workers;
    for (int i = 0; i < kWorkers; ++i)
        workers.push_back(start_worker(listener, run.deadline()));

    bool all_well = true;
    for (const pid_t worker : workers) {
        int status = 0;
        demo::check(waitpid(worker, &status, 0), "waitpid");
        all_well = all_well && status == 0;
    }
    return run.finish() == 0 && all_well ? 0 : 1;
}
