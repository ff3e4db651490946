// A file server: connections are edge-triggered, and EPOLLOUT is asked for while output is pending.
//
// The fix: every mask of a connection has EPOLLET; its handler reads and writes until EAGAIN.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr size_t kFileBytes = 12 * 1024 * 1024;
constexpr int kMaxEvents = 64;

struct Download {
    int fd = -1;
    std::string unsent;
    bool out_armed = false;
};

class FileServer {
public:
    explicit FileServer(int listener)
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
                    on_event(downloads_.at(events[i].data.fd));
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
        watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
        downloads_[fd].fd = fd;
    }

    void on_event(Download& download)
    {
        char request[256];
        for (;;) {
            const ssize_t n = recv(download.fd, request, sizeof request, 0);
            if (n < 0 && errno == EAGAIN)
                break;
            if (n <= 0) {
                disconnect(download);
                return;
            }
            download.unsent.append(kFileBytes, '.');
        }
        flush(download);
    }

    void flush(Download& download)
    {
        while (!download.unsent.empty()) {
            const ssize_t n = send(download.fd, download.unsent.data(), download.unsent.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN)
                break;
            if (n < 0) {
                disconnect(download);
                return;
            }
            download.unsent.erase(0, static_cast<size_t>(n));
        }
        const bool want_out = !download.unsent.empty();
        if (want_out == download.out_armed)
            return;
        download.out_armed = want_out;
        const uint32_t out = want_out ? uint32_t{EPOLLOUT} : 0u;
        watch(EPOLL_CTL_MOD, download.fd, EPOLLIN | EPOLLRDHUP | EPOLLET | out);  // expect: none
    }

    void disconnect(const Download& download)
    {
        const int fd = download.fd;
        downloads_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, Download> downloads_;
};

void drive(demo::Client& client)
{
    const int fd = client.connect();
    while (client.running()) {
        client.send(fd, "GET file\n");
        client.ready();
        for (size_t read = 0; read < kFileBytes && client.running();)
            read += client.receive(fd).size();
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    FileServer server(listener);
    server.run(run.deadline());
    return run.finish();
}
