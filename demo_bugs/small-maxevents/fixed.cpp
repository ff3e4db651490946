// A signing service with many busy clients: each line comes back with its signature.
//
// The fix: room for 256 events, so that one call tells of all that are ready.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 256;  // expect: none
constexpr int kClients = 256;
constexpr int kRounds = 16384;

class Signer {
public:
    explicit Signer(int listener)
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
        if (fd >= 0)
            watch(fd);
    }

    void on_readable(int fd)
    {
        char text[256];
        const ssize_t n = recv(fd, text, sizeof text, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(fd);
            return;
        }
        const std::string answer = std::to_string(sign(std::string_view(text, static_cast<size_t>(n)))) + "\n";
        if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answer.size()))
            close(fd);
    }

    // FNV-1a, many times over: signing is work, so that clients queue up.
    static uint64_t sign(std::string_view text)
    {
        uint64_t hash = 14695981039346656037u;
        for (int round = 0; round < kRounds; ++round)
            hash = (hash ^ static_cast<unsigned char>(text[static_cast<size_t>(round) % text.size()])) * 1099511628211u;
        return hash;
    }

    const int epoll_fd_;
    const int listener_;
};

// All of them at once, again and again: whoever has an answer sends its next line.
void drive(demo::Client& client)
{
    std::vector<int> fds;
    for (int i = 0; i < kClients; ++i)
        fds.push_back(client.connect());
    for (const int fd : fds)
        client.send(fd, "hello\n");
    client.ready();
    while (client.running()) {
        for (const int fd : fds) {
            if (!client.receive(fd).empty())
                client.send(fd, "hello\n");
        }
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Signer server(listener);
    server.run(run.deadline());
    return run.finish();
}
