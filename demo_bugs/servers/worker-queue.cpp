// A job service: one thread waits, workers take sockets from a queue. EPOLLONESHOT keeps a socket out of the queue
// until its worker re-arms it.
//
// A worker never waits on the epoll itself, so nobody can see that it is done with a socket: a risk, not more.
//
// The mistake, as it is usually made: the worker answers a ping at once and goes back to the queue; the line that
// re-arms stands at the end of the long path only.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "common/demo.h"

namespace {

class Queue {
public:
    void push(int fd)
    {
        const std::lock_guard lock(mutex_);
        fds_.push_back(fd);
        filled_.notify_one();
    }
    int pop()
    {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, [this] { return !fds_.empty(); });
        const int fd = fds_.front();
        fds_.pop_front();
        return fd;
    }

private:
    std::mutex mutex_;
    std::condition_variable filled_;
    std::deque<int> fds_;
};

int epoll_fd;
Queue queue;

void arm(int operation, int fd)
{
    epoll_event ev{};
    ev.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
    ev.data.fd = fd;
    demo::check(epoll_ctl(epoll_fd, operation, fd, &ev), "epoll_ctl");
}

void work()
{
    char line[256];
    for (int fd; (fd = queue.pop()) >= 0;) {
        const ssize_t n = recv(fd, line, sizeof line, 0);  // expect: EP104 risk
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            close(fd);
            continue;
        }
        if (n >= 4 && memcmp(line, "ping", 4) == 0) {
            send(fd, "pong\n", 5, MSG_NOSIGNAL);
            continue;  // the short path
        }
        if (n > 0)
            send(fd, "done\n", 5, MSG_NOSIGNAL);
        arm(EPOLL_CTL_MOD, fd);
    }
}

// One client pings and then has a job, which nobody will ever look at. The others only have jobs.
void drive(demo::Client& client)
{
    const int unlucky = client.connect();
    client.send(unlucky, "ping\n");
    client.receive(unlucky);
    client.send(unlucky, "job\n");
    client.ready();
    const int steady = client.connect();
    while (client.running()) {
        client.send(steady, "job\n");
        client.receive(steady);
        client.pause(100);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    epoll_fd = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    arm(EPOLL_CTL_ADD, listener);
    std::vector<std::thread> workers;
    for (int i = 0; i < 2; ++i)
        workers.emplace_back(work);
    while (!run.deadline().passed()) {
        epoll_event ev;
        if (epoll_wait(epoll_fd, &ev, 1, run.deadline().remaining_ms()) != 1)
            continue;
        if (ev.data.fd != listener) {
            queue.push(ev.data.fd);
            continue;
        }
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            arm(EPOLL_CTL_ADD, fd);
        arm(EPOLL_CTL_MOD, listener);
    }
    for (size_t i = 0; i < workers.size(); ++i)
        queue.push(-1);
    for (std::thread& worker : workers)
        worker.join();
    return run.finish();
}
