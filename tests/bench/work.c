// SPDX-License-Identifier: Apache-2.0
// Work to be audited, with known numbers.
//
//   bench_work loops          reads "NAME COUNT" lines, runs that loop, answers "done NANOSECONDS"
//   bench_work idle N         registers N idle files (half eventfds, half unix sockets) and sleeps
//   bench_work spin SECONDS   sleeps until a line comes, then spins on a writable socket
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int check(int result, const char *what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "bench_work: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int epoll, int fd, unsigned mask)
{
    struct epoll_event want = {.events = mask, .data.fd = fd};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want), "epoll_ctl");
}

static int listener;
static struct sockaddr_in address;

static void open_listener(void)
{
    socklen_t length = sizeof(address);
    listener = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(listener, (struct sockaddr *)&address, sizeof(address)), "bind");
    check(listen(listener, 16), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
}

static void connect_pair(int *a, int *b)
{
    *a = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    check(connect(*a, (struct sockaddr *)&address, sizeof(address)), "connect");
    *b = check(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
}

/* --- loops: each iteration makes the postings that run.py expects --------------------------------- */

static int epoll, idle_epoll, tcp_a, tcp_b, unix_a, unix_b, event, ready;

static void loop_other(void) { syscall(SYS_getppid); }

static void loop_unwatched_read(void)
{
    static int devnull = -1;
    char byte;
    if (devnull < 0)
        devnull = check(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null");
    check((int)read(devnull, &byte, 1), "read");
}

static void loop_eagain(void)
{
    char byte;
    if (recv(unix_b, &byte, 1, MSG_DONTWAIT) != -1)
        exit(1);
}

static void loop_unix(void)
{
    char byte = 0;
    check((int)write(unix_a, &byte, 1), "write");
    check((int)read(unix_b, &byte, 1), "read");
}

static void loop_tcp(void)
{
    char byte = 0;
    check((int)write(tcp_a, &byte, 1), "write");
    check((int)read(tcp_b, &byte, 1), "read");
}

static void loop_echo(void)
{
    struct epoll_event got;
    char byte = 0;
    check((int)write(tcp_a, &byte, 1), "write");
    if (epoll_wait(epoll, &got, 1, 0) != 1)
        exit(1);
    check((int)read(tcp_b, &byte, 1), "read");
}

static void loop_poll(void)
{
    struct epoll_event got;
    check(epoll_wait(idle_epoll, &got, 1, 0), "epoll_wait");
}

static void loop_mod(void)
{
    struct epoll_event want = {.events = EPOLLIN, .data.fd = event};
    check(epoll_ctl(idle_epoll, EPOLL_CTL_MOD, event, &want), "epoll_ctl");
}

static void loop_add_del(void)
{
    struct epoll_event want = {.events = EPOLLIN, .data.fd = ready};
    check(epoll_ctl(idle_epoll, EPOLL_CTL_ADD, ready, &want), "epoll_ctl");
    check(epoll_ctl(idle_epoll, EPOLL_CTL_DEL, ready, &want), "epoll_ctl");
}

static void loop_eventfd(void)
{
    unsigned long long one = 1;
    check((int)write(event, &one, sizeof(one)), "write");
    check((int)read(event, &one, sizeof(one)), "read");
}

/* connect, accept, ADD, two closes; resets, or the ports would run out */
static void loop_connection(void)
{
    struct linger reset = {.l_onoff = 1};
    int a, b;
    connect_pair(&a, &b);
    watch(epoll, b, EPOLLIN);
    setsockopt(b, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(b);
    close(a);
}

/* --- loops of a process that nobody watches: what it pays for another that is watched ------------- */

/* As `dd bs=1` does. */
static void loop_dd(void)
{
    static int from = -1, to = -1;
    char byte;
    if (from < 0) {
        from = check(open("/dev/zero", O_RDONLY | O_CLOEXEC), "/dev/zero");
        to = check(open("/dev/null", O_WRONLY | O_CLOEXEC), "/dev/null");
    }
    check((int)read(from, &byte, 1), "read");
    check((int)write(to, &byte, 1), "write");
}

/* Starts a second process that does its half of a loop until this one ends. */
static void with_partner(void (*serve)(void))
{
    if (check(fork(), "fork") > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        serve();
}

static atomic_int *turn; /* 1: the partner's */

static void pass_turn(int mine)
{
    atomic_store(turn, !mine);
    syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
    while (atomic_load(turn) != mine)
        syscall(SYS_futex, turn, FUTEX_WAIT, !mine, NULL, NULL, 0);
}

static void serve_turn(void)
{
    while (!atomic_load(turn))
        syscall(SYS_futex, turn, FUTEX_WAIT, 0, NULL, NULL, 0);
    pass_turn(1);
}

static void loop_futex(void)
{
    if (!turn) {
        turn = mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (turn == MAP_FAILED)
            exit(1);
        with_partner(serve_turn);
    }
    pass_turn(0);
}

static int echo_here = -1, echo_there;

static void serve_echo(void)
{
    char byte;
    check((int)read(echo_there, &byte, 1), "read");
    check((int)write(echo_there, &byte, 1), "write");
}

static void loop_tcp_echo(void)
{
    char byte = 0;
    if (echo_here < 0) {
        int on = 1;
        connect_pair(&echo_here, &echo_there);
        check(fcntl(echo_there, F_SETFL, 0), "F_SETFL");
        setsockopt(echo_here, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(echo_there, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        with_partner(serve_echo);
    }
    check((int)write(echo_here, &byte, 1), "write");
    check((int)read(echo_here, &byte, 1), "read");
}

static const struct loop {
    const char *name;
    void (*once)(void);
} kLoops[] = {
    {"other", loop_other}, {"unwatched_read", loop_unwatched_read}, {"eagain", loop_eagain},
    {"unix", loop_unix},   {"tcp", loop_tcp},                       {"echo", loop_echo},
    {"poll", loop_poll},   {"mod", loop_mod},                       {"add_del", loop_add_del},
    {"eventfd", loop_eventfd}, {"connection", loop_connection}, {"dd", loop_dd},
    {"futex", loop_futex}, {"tcp_echo", loop_tcp_echo},
};

static int run_loops(void)
{
    int pair[2];
    char name[32];
    long count;
    open_listener();
    epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    idle_epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), "socketpair");
    unix_a = pair[0];
    unix_b = pair[1];
    connect_pair(&tcp_a, &tcp_b);
    int on = 1;
    setsockopt(tcp_a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    event = check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    ready = check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    watch(epoll, listener, EPOLLIN);
    watch(epoll, tcp_a, EPOLLIN);
    watch(epoll, tcp_b, EPOLLIN);
    watch(idle_epoll, unix_a, EPOLLIN);
    watch(idle_epoll, unix_b, EPOLLIN);
    watch(idle_epoll, event, EPOLLIN);
    printf("ready\n");
    fflush(stdout);
    while (scanf("%31s %ld", name, &count) == 2) {
        const struct loop *loop = NULL;
        for (size_t i = 0; i < sizeof(kLoops) / sizeof(kLoops[0]); i++)
            if (strcmp(kLoops[i].name, name) == 0)
                loop = &kLoops[i];
        if (!loop)
            return 1;
        long long start = now_ns();
        for (long i = 0; i < count; i++)
            loop->once();
        printf("done %lld\n", now_ns() - start);
        fflush(stdout);
    }
    return 0;
}

static int run_idle(long files)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    int at = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    for (long i = 0; i < files / 2; i++)
        watch(at, check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"), EPOLLIN);
    for (long i = files / 2; i + 1 < files; i += 2) {
        int pair[2];
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), "socketpair");
        watch(at, pair[0], EPOLLIN);
        watch(at, pair[1], EPOLLIN);
    }
    printf("ready\n");
    fflush(stdout);
    struct epoll_event got;
    watch(at, STDIN_FILENO, EPOLLIN);
    while (epoll_wait(at, &got, 1, -1) < 0)
        continue;
    return 0;
}

static int run_spin(double seconds)
{
    int pair[2];
    char line[16];
    struct epoll_event got;
    int at = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), "socketpair");
    watch(at, pair[0], EPOLLIN);
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    struct epoll_event want = {.events = EPOLLIN | EPOLLOUT, .data.fd = pair[0]};
    long long start = now_ns();
    check(epoll_ctl(at, EPOLL_CTL_MOD, pair[0], &want), "epoll_ctl");
    printf("spinning %lld\n", start);
    fflush(stdout);
    while ((double)(now_ns() - start) < seconds * 1e9)
        check(epoll_wait(at, &got, 1, 1000), "epoll_wait");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "loops") == 0)
        return run_loops();
    if (argc == 3 && strcmp(argv[1], "idle") == 0)
        return run_idle(atol(argv[2]));
    if (argc == 3 && strcmp(argv[1], "spin") == 0)
        return run_spin(atof(argv[2]));
    fprintf(stderr, "usage: bench_work loops | idle N | spin SECONDS\n");
    return 2;
}
