// A ticker: one thread publishes prices, another one news, and both send to every subscriber. The
// main thread accepts subscribers and notices when they leave.
//
// expect: none
// send() of a non-blocking socket may take only a part of a message. The publisher holds the
// subscriber's lock until the rest is out as well.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/demo.h"

namespace {

struct Subscriber {
    explicit Subscriber(int socket) : fd(socket) {}
    ~Subscriber() { close(fd); }
    const int fd;
    std::mutex sending;  // held for a whole message
};
using SubscriberPtr = std::shared_ptr<Subscriber>;

class Ticker {
public:
    explicit Ticker(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        std::thread prices([&] { publish("price ", 'p', deadline); });
        std::thread news([&] { publish("news ", 'n', deadline); });
        accept_subscribers(deadline);
        prices.join();
        news.join();
    }

private:
    void watch(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLRDHUP;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void accept_subscribers(const demo::Deadline& deadline)
    {
        while (!deadline.passed()) {
            epoll_event ev;
            if (epoll_wait(epoll_fd_, &ev, 1, deadline.remaining_ms()) <= 0)
                continue;
            if (ev.data.fd == listener_) {
                const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    continue;
                watch(fd);
                const std::lock_guard lock(mutex_);
                subscribers_.push_back(std::make_shared<Subscriber>(fd));
            } else {  // subscribers never send: it has left
                epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, ev.data.fd, nullptr);
                const std::lock_guard lock(mutex_);
                std::erase_if(subscribers_, [&](const SubscriberPtr& s) { return s->fd == ev.data.fd; });
            }
        }
    }

    void publish(const std::string& topic, char filler, const demo::Deadline& deadline)
    {
        const std::string message = topic + std::string(100 * 1000, filler) + "\n";
        while (!deadline.passed()) {
            for (const SubscriberPtr& subscriber : present())
                deliver(*subscriber, message, deadline);
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }

    std::vector<SubscriberPtr> present()
    {
        const std::lock_guard lock(mutex_);
        return subscribers_;
    }

    void deliver(Subscriber& subscriber, const std::string& message, const demo::Deadline& deadline)
    {
        const std::lock_guard lock(subscriber.sending);
        size_t sent = 0;
        while (sent < message.size() && !deadline.passed()) {
            const ssize_t n = send(subscriber.fd, message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
            if (n >= 0) {
                sent += static_cast<size_t>(n);
                continue;
            }
            if (errno != EAGAIN)
                return;
            pollfd room{subscriber.fd, POLLOUT, 0};
            poll(&room, 1, 100);
        }
    }

    const int epoll_fd_;
    const int listener_;
    std::mutex mutex_;
    std::vector<SubscriberPtr> subscribers_;
};

// A subscriber on a slow line.
void drive(demo::Client& client)
{
    const int subscriber = client.connect();
    client.ready();
    while (client.running()) {
        for (int i = 0; i < 64; ++i)
            client.receive(subscriber, 0);
        client.pause(5);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Ticker ticker(listener);
    ticker.run(run.deadline());
    return run.finish();
}
