// A market-data publisher: about ten times a second every subscriber gets the latest tick.
//
// The mistake: subscribers are watched for EPOLLOUT all the time, so that ticks can be queued and
// "epoll sends them". A socket with room in its send buffer is always writable, hence epoll_wait
// returns at once, for ever, with nothing to send.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr long kTickMs = 100;
constexpr int kMaxEvents = 64;

struct Subscriber {
    int fd;
    std::string outbox;  // ticks the socket has not taken yet
};

class Publisher {
public:
    explicit Publisher(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          listener_(listener),
          timer_fd_(demo::check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create"))
    {
        itimerspec every{};
        every.it_value.tv_nsec = every.it_interval.tv_nsec = kTickMs * 1'000'000;
        demo::check(timerfd_settime(timer_fd_, 0, &every, nullptr), "timerfd_settime");
        watch(listener_);
        watch(timer_fd_);
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
                } else if (events[i].data.fd == timer_fd_) {
                    on_tick();
                } else {
                    on_subscriber(events[i].data.fd, events[i].events);
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
        if (fd < 0)
            return;
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLOUT;
        ev.data.fd = fd;
        // expect: EP201 confirmed, armed here
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
        subscribers_.emplace(fd, Subscriber{fd, {}});
    }

    void on_tick()
    {
        uint64_t expirations = 0;
        if (read(timer_fd_, &expirations, sizeof expirations) < 0)
            return;
        price_ += (++sequence_ % 7 < 4) ? 0.25 : -0.25;
        char tick[64];
        snprintf(tick, sizeof tick, "EURUSD %u %.2f\n", sequence_, price_);
        for (auto& [fd, subscriber] : subscribers_)
            subscriber.outbox += tick;
    }

    void on_subscriber(int fd, uint32_t events)
    {
        Subscriber& subscriber = subscribers_.at(fd);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            char ignored[256];
            const ssize_t n = recv(fd, ignored, sizeof ignored, 0);
            if (n == 0 || (n < 0 && errno != EAGAIN)) {
                drop(fd);
                return;
            }
        }
        if (events & EPOLLOUT)
            flush(subscriber);
    }

    void flush(Subscriber& subscriber)
    {
        while (!subscriber.outbox.empty()) {
            const ssize_t n = send(subscriber.fd, subscriber.outbox.data(), subscriber.outbox.size(), MSG_NOSIGNAL);
            if (n < 0) {
                if (errno != EAGAIN)
                    subscriber.outbox.clear();  // EPOLLERR follows and drops it
                break;
            }
            subscriber.outbox.erase(0, static_cast<size_t>(n));
        }
    }

    void drop(int fd)
    {
        subscribers_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    const int timer_fd_;
    unsigned sequence_ = 0;
    double price_ = 100;
    std::unordered_map<int, Subscriber> subscribers_;
};

void drive(demo::Client& client)
{
    const int first = client.connect();
    const int second = client.connect();
    const int third = client.connect();
    client.receive(first);
    client.ready();
    client.receive_all({first, second, third});
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Publisher publisher(listener);
    publisher.run(run.deadline());
    return run.finish();
}
