// A proxy between a fast producer and a slow consumer. When the consumer's side is full it stops asking for the
// producer's input (its unread bytes are the back-pressure) and asks for room instead; when the room has come, it
// turns that round again. Input that waits unread for seconds is right here.
//
// expect: none
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <unordered_map>

#include "common/demo.h"

namespace {

struct Tunnel {
    int source;
    int sink;
    std::string buffered;
};

class Proxy {
public:
    explicit Proxy(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        set(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[16];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, 16, deadline.remaining_ms());
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else if (const auto at = tunnels_.find(events[i].data.fd); at != tunnels_.end()) {
                    pump(*at->second);
                }
            }
        }
    }

private:
    void set(int operation, int fd, uint32_t mask)
    {
        epoll_event ev{};
        ev.events = mask;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, operation, fd, &ev), "epoll_ctl");
    }

    // The first of two connections is the producer, the second the consumer.
    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (waiting_ < 0) {
            waiting_ = fd;
            return;
        }
        auto* tunnel = new Tunnel{waiting_, fd, {}};
        tunnels_[tunnel->source] = tunnels_[tunnel->sink] = tunnel;
        set(EPOLL_CTL_ADD, tunnel->source, EPOLLIN | EPOLLRDHUP);
        set(EPOLL_CTL_ADD, tunnel->sink, EPOLLRDHUP);
        waiting_ = -1;
    }

    void pump(Tunnel& tunnel)
    {
        const bool was_blocked = !tunnel.buffered.empty();
        if (!flush(tunnel))
            return finish(tunnel);
        if (tunnel.buffered.empty()) {
            char chunk[65536];
            const ssize_t n = recv(tunnel.source, chunk, sizeof chunk, 0);
            if (n == 0 || (n < 0 && errno != EAGAIN))
                return finish(tunnel);
            if (n > 0)
                tunnel.buffered.assign(chunk, static_cast<size_t>(n));
            if (!flush(tunnel))
                return finish(tunnel);
        }
        const bool blocked = !tunnel.buffered.empty();
        if (blocked == was_blocked)
            return;
        set(EPOLL_CTL_MOD, tunnel.source, blocked ? EPOLLRDHUP : EPOLLIN | EPOLLRDHUP);
        set(EPOLL_CTL_MOD, tunnel.sink, blocked ? EPOLLOUT | EPOLLRDHUP : EPOLLRDHUP);
    }

    bool flush(Tunnel& tunnel)
    {
        while (!tunnel.buffered.empty()) {
            const ssize_t n = send(tunnel.sink, tunnel.buffered.data(), tunnel.buffered.size(), MSG_NOSIGNAL);
            if (n < 0)
                return errno == EAGAIN;
            tunnel.buffered.erase(0, static_cast<size_t>(n));
        }
        return true;
    }

    void finish(Tunnel& tunnel)
    {
        for (const int fd : {tunnel.source, tunnel.sink}) {
            tunnels_.erase(fd);
            close(fd);
        }
        delete &tunnel;
    }

    const int epoll_fd_;
    const int listener_;
    int waiting_ = -1;
    std::unordered_map<int, Tunnel*> tunnels_;
};

// The producer has more than all buffers between the two can hold; the consumer reads nothing for long, then a bit.
void drive(demo::Client& client)
{
    const int producer = client.connect();
    const int consumer = client.connect();
    client.send(producer, std::string(1 << 20, 'p'));
    client.ready();
    while (client.running()) {
        client.pause(1500);
        for (int i = 0; i < 40; ++i)
            client.receive(consumer, 10);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Proxy(listener).run(run.deadline());
    return run.finish();
}
