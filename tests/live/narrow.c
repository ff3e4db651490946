// SPDX-License-Identifier: Apache-2.0
// A 32-bit server without a libc, so that no package is needed to build it: cc -m32 -nostdlib -static. It polls a socket
// pair with output armed, reads, writes, makes eventfds and closes them, for as many seconds as it was built for.
enum {
    EXIT = 1,
    READ = 3,
    WRITE = 4,
    CLOSE = 6,
    NANOSLEEP = 162,
    EPOLL_CTL = 255,
    EPOLL_WAIT = 256,
    CLOCK_GETTIME = 265,
    EVENTFD = 328,
    EPOLL_CREATE1 = 329,
    SOCKETPAIR = 360
};
enum {
    AF_UNIX = 1,
    SOCK_STREAM = 1,
    SOCK_NONBLOCK = 04000,
    CLOCK_MONOTONIC = 1,
    EPOLL_CTL_ADD = 1,
    EPOLLIN = 1,
    EPOLLOUT = 4
};

struct time {
    int seconds, nanoseconds;
};
struct event {
    unsigned events;
    unsigned long long data;
} __attribute__((packed));

static int call(int number, int a, int b, int c, int d)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
}

static void check(int result)
{
    if (result < 0)
        call(EXIT, 3, 0, 0, 0);
}

static int now(void)
{
    struct time at;
    check(call(CLOCK_GETTIME, CLOCK_MONOTONIC, (int)&at, 0, 0));
    return at.seconds;
}

void _start(void)
{
    const int end = now() + SECONDS;
    int pair[2];
    char byte = 'x';
    const int epoll = call(EPOLL_CREATE1, 0, 0, 0, 0);
    check(epoll);
    check(call(SOCKETPAIR, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, (int)pair));
    struct event wanted = {EPOLLIN | EPOLLOUT, 0}, got;
    wanted.data = (unsigned)pair[0];
    check(call(EPOLL_CTL, epoll, EPOLL_CTL_ADD, pair[0], (int)&wanted));
    while (now() < end) {
        check(call(EPOLL_WAIT, epoll, (int)&got, 1, -1));
        const int event = call(EVENTFD, 0, 0, 0, 0);
        check(event);
        check(call(WRITE, pair[1], (int)&byte, 1, 0));
        check(call(READ, pair[0], (int)&byte, 1, 0));
        check(call(CLOSE, event, 0, 0, 0));
        struct time pause = {0, 200000};
        check(call(NANOSLEEP, (int)&pause, 0, 0, 0));
    }
    call(EXIT, 0, 0, 0, 0);
}
