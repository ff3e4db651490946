// SPDX-License-Identifier: Apache-2.0
// Three descriptors armed through one wrapper, with one mask, by three functions, and none of them is ever read: who
// armed it must be told of each. `places wrapper` calls the wrapper directly, `places deep` through two more.
// `places again` goes deep again and again, by turns, and at one height of the stack.
// `places half` takes half of what an edge announced, and goes back to wait for ever.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int epoll = -1;
bool deep = false;
int operation = EPOLL_CTL_ADD;
constexpr int kTurns = 100;

// Calls that are neither inlined nor made in tail position: each leaves its return address.
#define A_CALL __attribute__((noinline, noclone))

A_CALL int arm(int fd, unsigned mask)
{
    epoll_event want{};
    want.events = mask;
    want.data.fd = fd;
    int failed = epoll_ctl(epoll, operation, fd, &want);
    asm volatile("" : "+r"(failed));
    return failed;
}

A_CALL int arm_as_configured(int fd, const char* name)
{
    char line[160];  // a frame of some size, as in a library that logs
    snprintf(line, sizeof(line), "arming fd %d for %s", fd, name);
    asm volatile("" : : "r"(line) : "memory");
    int failed = arm(fd, EPOLLIN);
    asm volatile("" : "+r"(failed));
    return failed;
}

A_CALL int arm_somehow(int fd, const char* name)
{
    int failed = deep ? arm_as_configured(fd, name) : arm(fd, EPOLLIN);
    asm volatile("" : "+r"(failed));
    return failed;
}

A_CALL int open_counter()
{
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    int failed = deep ? arm_somehow(fd, "counter") : arm(fd, EPOLLIN);
    asm volatile("" : "+r"(failed));
    return failed;
}

A_CALL int open_pipe()
{
    int ends[2];
    if (pipe(ends) || write(ends[1], "x", 1) != 1)
        return -1;
    int failed = deep ? arm_somehow(ends[0], "pipe") : arm(ends[0], EPOLLIN);
    asm volatile("" : "+r"(failed));
    return failed;
}

int due_clock()
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    itimerspec when{};
    when.it_value.tv_nsec = 1;
    timerfd_settime(fd, 0, &when, nullptr);
    return fd;
}

A_CALL int open_clock()
{
    int fd = due_clock();
    int failed = deep ? arm_somehow(fd, "clock") : arm(fd, EPOLLIN);
    asm volatile("" : "+r"(failed));
    return failed;
}

// Their frames are of one size, and they have one caller: only the return addresses into them tell them apart.
A_CALL int open_counter_again(int fd)
{
    int failed = arm_somehow(fd, "counter");
    asm volatile("" : "+r"(failed));
    return failed;
}

A_CALL int open_pipe_again(int fd)
{
    int failed = arm_somehow(fd, "pipe");
    asm volatile("" : "+r"(failed));
    return failed;
}

A_CALL int open_clock_again(int fd)
{
    int failed = arm_somehow(fd, "clock");
    asm volatile("" : "+r"(failed));
    return failed;
}

int by_turns()
{
    int ends[2], counter = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), clock = due_clock();
    if (pipe(ends) || write(ends[1], "x", 1) != 1)
        return -1;
    for (int turn = 0; turn < kTurns; turn++, operation = EPOLL_CTL_MOD)
        if (open_counter_again(counter) || open_pipe_again(ends[0]) || open_clock_again(clock))
            return -1;
    puts("armed");
    return fflush(stdout);
}

// Takes half of what an edge announced, and never comes back.
A_CALL int read_half(int fd)
{
    char half[64];
    ssize_t got = read(fd, half, sizeof(half));
    asm volatile("" : "+r"(got));
    return got == sizeof(half) ? 0 : -1;
}

int stop_early()
{
    int ends[2];
    char all[128] = {};
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) || arm(ends[0], EPOLLIN | EPOLLET) || write(ends[1], all, sizeof(all)) < 0)
        return 3;
    epoll_event got;
    if (epoll_wait(epoll, &got, 1, -1) != 1 || read_half(ends[0]))
        return 3;
    epoll_wait(epoll, &got, 1, 5000);
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    const bool again = argc > 1 && !strcmp(argv[1], "again");
    deep = again || (argc > 1 && !strcmp(argv[1], "deep"));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (argc > 1 && !strcmp(argv[1], "half"))
        return stop_early();
    if (epoll < 0 || (again ? by_turns() : open_counter() || open_pipe() || open_clock()))
        return 3;
    alarm(20);
    for (;;) {
        epoll_event got[8];
        if (epoll_wait(epoll, got, 8, -1) < 0)
            return 3;
    }
}
