// A login service: "login NAME PASSWORD" on a connection, "ping" to keep it alive. One thread, one
// epoll, non-blocking sockets.
//
// expect: none
// To slow down guessers, the answer to a wrong password waits in a list until its time has come;
// epoll_wait is told when that is. Nobody else notices.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;
constexpr std::chrono::milliseconds kPenalty{250};
using Clock = std::chrono::steady_clock;

class Service {
public:
    explicit Service(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, patience(deadline));
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    on_readable(events[i].data.fd);
                }
            }
            send_denials();
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

    // Until the oldest denial is due; it is the first to be.
    int patience(const demo::Deadline& deadline) const
    {
        if (denials_.empty())
            return deadline.remaining_ms();
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(denials_.front().due - Clock::now());
        return std::clamp(static_cast<int>(left.count()), 1, deadline.remaining_ms());
    }

    void send_denials()
    {
        while (!denials_.empty() && denials_.front().due <= Clock::now()) {
            reply(denials_.front().fd, "denied\n");
            denials_.pop_front();
        }
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            watch(fd);
    }

    void on_readable(int fd)
    {
        char chunk[1024];
        const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            inbox_.erase(fd);
            std::erase_if(denials_, [fd](const Denial& denial) { return denial.fd == fd; });
            close(fd);
            return;
        }
        std::string& inbox = inbox_[fd];
        inbox.append(chunk, static_cast<size_t>(n));
        for (size_t end = inbox.find('\n'); end != std::string::npos; end = inbox.find('\n')) {
            answer(fd, inbox.substr(0, end));
            inbox.erase(0, end + 1);
        }
    }

    void answer(int fd, const std::string& line)
    {
        if (line == "ping") {
            reply(fd, "pong\n");
        } else if (line == "login alice secret") {
            reply(fd, "welcome\n");
        } else {
            denials_.push_back({fd, Clock::now() + kPenalty});
        }
    }

    void reply(int fd, std::string_view text) { send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

    struct Denial {
        int fd;
        Clock::time_point due;
    };

    const int epoll_fd_;
    const int listener_;
    std::deque<Denial> denials_;
    std::unordered_map<int, std::string> inbox_;
};

// Four users are logged in and send a ping each 20 ms; a fifth guesses passwords, twice a second.
void drive(demo::Client& client)
{
    std::vector<int> users;
    for (int i = 0; i < 4; ++i)
        users.push_back(client.connect());
    const int guesser = client.connect();
    for (int i = 0; client.running(); ++i) {
        for (const int user : users)
            client.send(user, "ping\n");
        if (i % 25 == 10)
            client.send(guesser, "login alice 1234\n");
        client.pause(20);
        for (const int user : users)
            client.receive(user, 0);
        if (i == 11)
            client.ready();
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Service service(listener);
    service.run(run.deadline());
    return run.finish();
}
