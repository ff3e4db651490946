// A log collector: clients send lines, the server acknowledges them through a FILE *, which buffers.
//
// The fix: the registration is removed while the number still leads to it, then both descriptors are
// closed.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

struct Client {
    int fd = -1;
    FILE* acknowledge = nullptr;
};

class Collector {
public:
    explicit Collector(int listener)
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
        if (fd < 0)
            return;
        watch(fd);
        FILE* stream = fdopen(demo::check(dup(fd), "dup"), "w");
        if (stream == nullptr)
            demo::die("fdopen");
        clients_[fd] = {fd, stream};
    }

    void on_readable(int fd)
    {
        const auto client = clients_.find(fd);
        if (client == clients_.end())
            return;  // closed by an earlier event of this batch
        char lines[1024];
        const ssize_t n = recv(fd, lines, sizeof lines, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0) {
            fprintf(client->second.acknowledge, "%zd\n", n);
            fflush(client->second.acknowledge);
            return;
        }
        // expect: none
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr), "epoll_ctl");
        fclose(client->second.acknowledge);
        clients_.erase(client);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_map<int, Client> clients_;
};

void drive(demo::Client& client)
{
    const int stays = client.connect();
    const int leaves = client.connect();
    client.send(leaves, "started\n");
    client.receive(leaves);
    client.close(leaves);
    while (client.running()) {
        client.send(stays, "still here\n");
        client.receive(stays);
        client.ready();
        client.pause(300);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Collector server(listener);
    server.run(run.deadline());
    return run.finish();
}
