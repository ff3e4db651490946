// A report server: each request is answered with the day's report, some megabytes of it.
//
// The mistake: when the socket takes only a part, the rest is kept in the session, to be sent "when
// the socket is ready". But EPOLLOUT is never armed: the rest waits for an event that is none of its
// business, the client's next request, and the client waits for the rest.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/demo.h"

namespace {

constexpr size_t kReportBytes = 16 * 1024 * 1024;
constexpr int kMaxEvents = 64;

struct Session {
    int fd = -1;
    std::string unsent;
};

class ReportServer {
public:
    explicit ReportServer(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
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
                    on_event(sessions_.at(events[i].data.fd), events[i].events);
                }
            }
        }
    }

private:
    void watch(int operation, int fd, uint32_t interest)
    {
        epoll_event ev{};
        ev.events = interest;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, operation, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP);
        sessions_[fd].fd = fd;
    }

    void on_event(Session& session, uint32_t events)
    {
        char request[256];
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            const ssize_t n = recv(session.fd, request, sizeof request, 0);
            if (n == 0 || (n < 0 && errno != EAGAIN)) {
                disconnect(session);
                return;
            }
            if (n > 0 && request[0] == 'G') {
                session.unsent.append(kReportBytes, '.');
            } else if (n > 0) {
                session.unsent += "pong\n";
            }
        }
        flush(session);
    }

    void flush(Session& session)
    {
        while (!session.unsent.empty()) {
            const ssize_t n = send(session.fd, session.unsent.data(), session.unsent.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN)  // expect: EP105 confirmed
                break;
            if (n < 0) {
                disconnect(session);
                return;
            }
            session.unsent.erase(0, static_cast<size_t>(n));
        }
    }

    void disconnect(const Session& session)
    {
        const int fd = session.fd;
        sessions_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, Session> sessions_;
};

// Three clients ask for the report, read what there is, and wait for the rest; a fourth one watches
// whether the server is alive.
void drive(demo::Client& client)
{
    std::vector<int> fds;
    for (int i = 0; i < 3; ++i)
        fds.push_back(client.connect());
    const int watchdog = client.connect();
    for (const int fd : fds)
        client.send(fd, "GET report\n");
    client.ready();
    while (client.running()) {
        client.send(watchdog, "ping\n");
        client.receive(watchdog);
        for (const int fd : fds) {
            while (!client.receive(fd, 10).empty())
                continue;
        }
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    ReportServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
