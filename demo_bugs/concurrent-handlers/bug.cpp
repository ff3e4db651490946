// A collector of log lines with a thread pool: all threads wait on one epoll, connections are
// edge-triggered, and a thread that is told of one reads it until EAGAIN.
//
// The mistake: edge-triggering does not keep two threads apart. While one is still reading, new
// input is a new edge, another thread is told and reads too; each gets some pieces of the stream.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kThreads = 4;
constexpr uint32_t kInterest = EPOLLIN | EPOLLRDHUP | EPOLLET;

class Collector {
public:
    explicit Collector(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        arm(EPOLL_CTL_ADD, listener_, EPOLLIN | EPOLLONESHOT);
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
        std::vector<char> buffer(256 * 1024);
        while (!deadline.passed()) {
            epoll_event ev;
            const int n = epoll_wait(epoll_fd_, &ev, 1, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            if (n <= 0)
                continue;
            if (ev.data.fd == listener_) {
                on_connect();
            } else {
                collect(ev.data.fd, buffer, deadline);
            }
        }
    }

    void arm(int operation, int fd, uint32_t interest)
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
            arm(EPOLL_CTL_ADD, fd, kInterest);
        arm(EPOLL_CTL_MOD, listener_, EPOLLIN | EPOLLONESHOT);
    }

    void collect(int fd, std::vector<char>& buffer, const demo::Deadline& deadline)
    {
        while (!deadline.passed()) {
            const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);  // expect: EP501 confirmed, last read here
            if (n > 0) {
                lines_ += std::count(buffer.begin(), buffer.begin() + n, '\n');
                continue;
            }
            if (n < 0 && errno == EAGAIN)
                break;
            shutdown(fd, SHUT_RDWR);  // another thread may be reading it: it is not closed before the end
            break;
        }
    }

    const int epoll_fd_;
    const int listener_;
    std::atomic<int64_t> lines_{0};
};

// A program that logs without pause.
void drive(demo::Client& client)
{
    std::string lines;
    while (lines.size() < 512 * 1024)
        lines += "2026-11-21 12:00:00 request served in 12 ms\n";
    const int log = client.connect();
    client.ready();
    while (client.running())
        client.send(log, lines);
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Collector collector(listener);
    collector.run(run.deadline());
    return run.finish();
}
