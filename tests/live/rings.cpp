// SPDX-License-Identifier: Apache-2.0
// Interest lists that are changed, and descriptors that are closed, by io_uring instead of by system calls.
//
//   rings rearm    healthy: EPOLLONESHOT, re-armed by the ring after each event
//   rings edges    healthy: edge-triggered, added by the ring and read until EAGAIN
//   rings churn    healthy: sockets are added by system call, closed by the ring, their numbers come back at once
//   rings removed  healthy: added by system call, taken off by the ring, and left unread
//   rings spin     added by the ring, never read (EP202)
//   rings ghost    closed by the ring while a duplicate lives on (EP303)
// The number of the guilty descriptor is printed.
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <chrono>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

constexpr auto kTime = std::chrono::milliseconds(2500);

class Ring {
public:
    Ring() { must(io_uring_queue_init(8, &ring_, 0), "io_uring_queue_init"); }
    ~Ring() { io_uring_queue_exit(&ring_); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    void ctl(int epoll, int operation, int fd, uint32_t mask)
    {
        epoll_event want{};
        want.events = mask;
        want.data.fd = fd;
        io_uring_prep_epoll_ctl(io_uring_get_sqe(&ring_), epoll, fd, operation, &want);
        finish("epoll_ctl by the ring");
    }

    void close(int fd)
    {
        io_uring_prep_close(io_uring_get_sqe(&ring_), fd);
        finish("close by the ring");
    }

private:
    void finish(const char* what)
    {
        io_uring_cqe* done = nullptr;
        must(io_uring_submit_and_wait(&ring_, 1), "io_uring_enter");
        must(io_uring_wait_cqe(&ring_, &done), "io_uring_wait_cqe");
        errno = -done->res;
        must(done->res < 0 ? -1 : 0, what);
        io_uring_cqe_seen(&ring_, done);
    }

    io_uring ring_{};
};

struct Loop {
    int epoll = new_epoll();
    Ring ring;
    std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now() + kTime;

    bool over() const { return std::chrono::steady_clock::now() >= end; }

    int next()
    {
        epoll_event got{};
        return must(epoll_wait(epoll, &got, 1, 1000), "epoll_wait") == 1 ? got.data.fd : -1;
    }
};

void take(int fd)
{
    char byte = 0;
    must(read(fd, &byte, 1), "read");
}

void take_all(int fd)
{
    char bytes[64];
    while (read(fd, bytes, sizeof(bytes)) > 0) {}
}

int rearm()
{
    Loop loop;
    auto [mine, theirs] = new_pair();
    watch(loop.epoll, mine, EPOLLIN | EPOLLONESHOT);
    while (!loop.over()) {
        put_byte(theirs);
        if (loop.next() != mine)
            return 3;
        take(mine);
        loop.ring.ctl(loop.epoll, EPOLL_CTL_MOD, mine, EPOLLIN | EPOLLONESHOT);
        usleep(2000);  // the pace of a client
    }
    return 0;
}

int edges()
{
    Loop loop;
    auto [mine, theirs] = new_pair();
    loop.ring.ctl(loop.epoll, EPOLL_CTL_ADD, mine, EPOLLIN | EPOLLET);
    while (!loop.over()) {
        put_byte(theirs);
        if (loop.next() != mine)
            return 3;
        take_all(mine);
        usleep(2000);  // the pace of a client
    }
    return 0;
}

int churn()
{
    Loop loop;
    while (!loop.over()) {
        auto [mine, theirs] = new_pair();
        watch(loop.epoll, mine);
        put_byte(theirs);
        if (loop.next() != mine)
            return 3;
        take(mine);
        loop.ring.close(mine);
        close(theirs);
        usleep(1000);  // the pace of a client
    }
    return 0;
}

int removed()
{
    Loop loop;
    auto [mine, theirs] = new_pair();
    auto [other, ticker] = new_pair();
    watch(loop.epoll, mine);
    watch(loop.epoll, other);
    loop.ring.ctl(loop.epoll, EPOLL_CTL_DEL, mine, 0);
    put_byte(theirs);
    while (!loop.over()) {
        put_byte(ticker);
        if (loop.next() != other)
            return 3;
        take(other);
        usleep(2000);  // the pace of a client
    }
    return 0;
}

int turn(Loop& loop, int guilty)
{
    printf("guilty %d\n", guilty);
    while (!loop.over())
        if (loop.next() != guilty)
            return 3;
    return 0;
}

int spin()
{
    Loop loop;
    auto [mine, theirs] = new_pair();
    loop.ring.ctl(loop.epoll, EPOLL_CTL_ADD, mine, EPOLLIN);
    put_byte(theirs);
    return turn(loop, mine);
}

int ghost()
{
    Loop loop;
    auto [mine, theirs] = new_pair();
    watch(loop.epoll, mine);
    must(fcntl(mine, F_DUPFD_CLOEXEC, 100), "F_DUPFD_CLOEXEC");
    loop.ring.close(mine);
    put_byte(theirs);
    return turn(loop, mine);
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"rearm", rearm}, {"edges", edges}, {"churn", churn}, {"removed", removed}, {"spin", spin}, {"ghost", ghost},
    };
    return play_role(argv + 1, roles);
}
