// A small web server that runs a helper program for some requests, as CGI does.
//
// expect: none
// The epoll is closed on exec, like every other fd that the helper is not meant to have.
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

class Server {
public:
    explicit Server(int listener)
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
        char request[1024];
        const ssize_t n = recv(fd, request, sizeof request, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(fd);
            return;
        }
        if (std::string_view(request, static_cast<size_t>(n)).starts_with("GET /report"))
            run_helper();
        constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        send(fd, kReply.data(), kReply.size(), MSG_NOSIGNAL);
    }

    // exec() lets us go on before it has closed what is close-on-exec, which it does in the order of the numbers.
    static void await_end(int pipe)
    {
        char byte = 0;
        demo::check(static_cast<int>(read(pipe, &byte, 1)), "read");
        close(pipe);
    }

    // The helper takes its time; the last one is reaped before the next one starts. Not fork(): until the exec the child
    // would hold every connection, and one that is closed meanwhile would go on being delivered.
    void run_helper()
    {
        if (helper_ > 0)
            waitpid(helper_, nullptr, 0);
        int runs[2];
        demo::check(pipe2(runs, O_CLOEXEC), "pipe2");
        const int last = demo::check(fcntl(runs[1], F_DUPFD_CLOEXEC, 1000), "fcntl");
        close(runs[1]);
        helper_ = demo::check(vfork(), "vfork");
        if (helper_ != 0) {
            close(last);
            await_end(runs[0]);
            return;
        }
        demo::check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
        execlp("sleep", "sleep", "0.3", nullptr);
        _exit(127);
    }

    const int epoll_fd_;
    const int listener_;
    pid_t helper_ = 0;
};

// A request now and then; every tenth wants a report.
void drive(demo::Client& client)
{
    for (int i = 0; client.running(); ++i) {
        const int fd = client.connect();
        client.send(fd, i % 10 == 5 ? "GET /report\r\n\r\n" : "GET /\r\n\r\n");
        client.receive(fd);
        client.close(fd);
        if (i == 6)
            client.ready();
        client.pause(50);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Server server(listener);
    server.run(run.deadline());
    return run.finish();
}
