// A report server: a client asks for a report, gets it some seconds later on the same connection,
// and may then ask for the next one.
//
// expect: none
// While a report is being made the connection is out of the epoll set: an empty event mask would
// not do, EPOLLERR and EPOLLHUP cannot be masked.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr time_t kReportSeconds = 3;
constexpr int kMaxEvents = 64;

struct Connection {
    int fd = -1;
    int job_timer = -1;  // runs out when the report is done; -1: no report under way
};

class ReportServer {
public:
    explicit ReportServer(int listener)
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
            for (int i = 0; i < n; ++i)
                dispatch(events[i].data.fd, events[i].events);
        }
    }

private:
    void dispatch(int fd, uint32_t events)
    {
        if (fd == listener_) {
            on_connect();
        } else if (const auto job = jobs_.find(fd); job != jobs_.end()) {
            on_report_done(job->second);
        } else if (const auto it = connections_.find(fd); it != connections_.end()) {
            if (events & EPOLLIN)
                on_request(it->second);
        }
    }

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
        watch(fd);
        connections_[fd].fd = fd;
    }

    void on_request(Connection& connection)
    {
        char request[256];
        const ssize_t n = recv(connection.fd, request, sizeof request, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            disconnect(connection);
            return;
        }
        disable(connection.fd);  // one report at a time
        start_report(connection);
    }

    void disable(int fd) { demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr), "epoll_ctl"); }

    void enable(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void start_report(Connection& connection)
    {
        connection.job_timer = demo::check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                                           "timerfd_create");
        itimerspec when{};
        when.it_value.tv_sec = kReportSeconds;
        demo::check(timerfd_settime(connection.job_timer, 0, &when, nullptr), "timerfd_settime");
        watch(connection.job_timer);
        jobs_[connection.job_timer] = connection.fd;
    }

    void on_report_done(int fd)
    {
        Connection& connection = connections_.at(fd);
        jobs_.erase(connection.job_timer);
        close(connection.job_timer);
        connection.job_timer = -1;
        constexpr std::string_view kReport = "sales 1204\nreturns 17\n";
        if (send(fd, kReport.data(), kReport.size(), MSG_NOSIGNAL) < 0) {
            disconnect(connection);  // the client has gone meanwhile
            return;
        }
        enable(fd);
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
    std::unordered_map<int, int> jobs_;  // timer of a report -> connection
};

// One client waits for its reports; two others lose patience.
void drive(demo::Client& client)
{
    const int patient = client.connect();
    while (client.running()) {
        client.send(patient, "report 1\n");
        const int hasty = client.connect();
        const int hastier = client.connect();
        client.send(hasty, "report 2\n");
        client.send(hastier, "report 3\n");
        client.pause(200);
        client.reset(hasty);
        client.reset(hastier);
        client.ready();
        client.receive(patient);
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
