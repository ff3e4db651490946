// What the five rungs of the ladder share: one connection of an echo service that never loses output and never
// reads more than it could send, and the clients. A rung decides how it is told and by whom it is served.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "common/demo.h"

namespace ladder {

// Said once per run; with it the report's numbers become system calls per request.
constexpr int kClients = 8;
constexpr int kRequestSize = 512;

class Connection {
public:
    explicit Connection(int fd) : fd_(fd) {}
    ~Connection() { close(fd_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    int fd() const { return fd_; }

    // Reads once and answers. False: nothing more to do now (EAGAIN, or the peer must read first).
    bool step()
    {
        char chunk[4096];
        const ssize_t n = recv(fd_, chunk, sizeof chunk, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            over_ = true;
        if (n <= 0)
            return false;
        unsent_.assign(chunk, static_cast<size_t>(n));
        return flush();
    }

    // Sends what is owed. True when nothing is left.
    bool flush()
    {
        while (!unsent_.empty()) {
            const ssize_t n = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
            if (n < 0) {
                if (errno != EAGAIN)
                    over_ = true;
                return false;
            }
            unsent_.erase(0, static_cast<size_t>(n));
        }
        return true;
    }

    bool over() const { return over_; }
    // While output is owed, more input is not wanted: the peer's own window pushes back.
    uint32_t wanted() const { return unsent_.empty() ? EPOLLIN | EPOLLRDHUP : EPOLLOUT; }

private:
    int fd_;
    bool over_ = false;
    std::string unsent_;
};

inline void arm(int epoll, int operation, int fd, uint32_t mask, void* data)
{
    epoll_event ev{};
    ev.events = mask;
    ev.data.ptr = data;
    demo::check(epoll_ctl(epoll, operation, fd, &ev), "epoll_ctl");
}

// Each client: a burst of requests, one after the other, then a new connection.
inline void drive(demo::Client& client)
{
    const std::string request(kRequestSize, 'x');
    while (client.running()) {
        std::vector<int> fds;
        for (int i = 0; i < kClients; ++i)
            fds.push_back(client.connect());
        client.ready();
        for (int round = 0; round < 50 && client.running(); ++round) {
            for (const int fd : fds)
                client.send(fd, request);
            for (const int fd : fds) {
                size_t got = 0;
                while (got < request.size() && client.running()) {
                    const std::string part = client.receive(fd);
                    if (part.empty())
                        break;
                    got += part.size();
                }
            }
            client.pause(2);
        }
        for (const int fd : fds)
            client.close(fd);
    }
}

}  // namespace ladder
