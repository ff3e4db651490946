// A session server: every new connection is greeted with a fresh session key.
//
// The mistake: the listener is edge-triggered, but each event accepts one connection only. Making
// a key takes a millisecond or two; connections that come in meanwhile are one event together,
// and all but one of them wait in the backlog until somebody else connects.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kKeyRounds = 400'000;
constexpr int kMaxEvents = 64;

struct Session {
    int fd = -1;
    uint64_t key = 0;
};

class SessionServer {
public:
    explicit SessionServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_, EPOLLIN | EPOLLET);
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
                    on_readable(sessions_.at(events[i].data.fd));
                }
            }
        }
        fprintf(stderr, "%u sessions\n", opened_);
    }

private:
    void watch(int fd, uint32_t interest)
    {
        epoll_event ev{};
        ev.events = interest;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr,  // expect: EP102 confirmed, accepts here
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED)
                return;
            demo::die("accept4");
        }
        open_session(fd);
    }

    void open_session(int fd)
    {
        watch(fd, EPOLLIN | EPOLLRDHUP);
        Session& session = sessions_[fd];
        session.fd = fd;
        session.key = make_key();
        ++opened_;
        char greeting[64];
        const int size = snprintf(greeting, sizeof greeting, "session %016llx\n",
                                  static_cast<unsigned long long>(session.key));
        if (send(fd, greeting, static_cast<size_t>(size), MSG_NOSIGNAL) != size)
            close_session(session);
    }

    // Stretched on purpose, so that a key cannot be guessed cheaply.
    uint64_t make_key()
    {
        uint64_t key = random_();
        for (int round = 0; round < kKeyRounds; ++round) {
            key ^= key >> 31;
            key *= 0x9e3779b97f4a7c15u;
            key ^= key >> 29;
        }
        return key;
    }

    void on_readable(Session& session)
    {
        char ignored[256];
        const ssize_t n = recv(session.fd, ignored, sizeof ignored, 0);
        if (n > 0 || (n < 0 && errno == EAGAIN))
            return;
        close_session(session);
    }

    void close_session(const Session& session)
    {
        const int fd = session.fd;
        sessions_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    unsigned opened_ = 0;
    std::mt19937_64 random_{std::random_device{}()};
    std::unordered_map<int, Session> sessions_;
};

// Three clients at a time, every 300 ms; each leaves when it has its session key.
void drive(demo::Client& client)
{
    std::vector<int> waiting;
    while (client.running()) {
        for (int i = 0; i < 3; ++i)
            waiting.push_back(client.connect());
        client.ready();
        client.pause(300);
        std::vector<int> still_waiting;
        for (const int fd : waiting) {
            if (client.receive(fd, 0).empty()) {
                still_waiting.push_back(fd);
            } else {
                client.close(fd);
            }
        }
        waiting = still_waiting;
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    SessionServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
