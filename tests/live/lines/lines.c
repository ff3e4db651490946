// SPDX-License-Identifier: Apache-2.0
// As lines.go, in C.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kClients = 3, kSeconds = 20 };

__attribute__((noinline)) static int arm_for_output(int epoll, int fd)
{
    struct epoll_event want = {.events = EPOLLOUT, .data.fd = fd};
    const int failed = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want); // expect: EP201
    return failed ? -1 : fd;
}

static int arm_for_input(int epoll, int fd)
{
    struct epoll_event want = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want);
}

__attribute__((noinline)) static long handle(int fd)
{
    char buffer[64];
    const struct timespec nap = {1, 200000000};
    const long got = recv(fd, buffer, sizeof buffer, 0);
    const int cut = nanosleep(&nap, NULL); // expect: EP404
    return cut ? -1 : got;
}

static void *talk(void *talking)
{
    const struct timespec pause = {0, 50000000};
    for (const int *fds = talking;; nanosleep(&pause, NULL))
        for (int i = 0; i < kClients; i++)
            send(fds[i], "x", 1, MSG_NOSIGNAL);
    return NULL;
}

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

int main(int argc, char **argv)
{
    static int talking[kClients];
    const int sleeps = argc > 1 && !strcmp(argv[1], "sleep");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return 1;
    for (int i = 0; i < kClients; i++) {
        talking[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(talking[i], (struct sockaddr *)&address, size))
            return 1;
        const int served = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if ((sleeps ? arm_for_input : arm_for_output)(epoll, served) < 0)
            return 1;
    }
    pthread_t client;
    if (sleeps && pthread_create(&client, NULL, talk, talking))
        return 1;
    for (const time_t end = now() + kSeconds; now() < end;) {
        struct epoll_event got;
        if (epoll_wait(epoll, &got, 1, -1) == 1 && sleeps && handle(got.data.fd) < 0)
            return 1;
    }
    return 0;
}
