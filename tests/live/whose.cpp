// SPDX-License-Identifier: Apache-2.0
// Whose event was it? Registrations that share their data, calls that fail, files in many epolls.
//
//   whose dispatcher FDS   healthy: all have one value as their data; each event is answered by reading that socket
//   whose shared FDS       the same, but one socket is ready and never read: the loop spins on it (EP202)
//   whose refused N        dup2(), dup3(), close() and epoll_ctl() that fail, and then a spin (EP202): nothing was closed
//   whose epolls N         one eventfd in N epolls, whose last one spins on it (EP202)
//   whose herd N           N threads wait for one listener, each with an epoll of its own (EP401, or not: as they run)
//   whose dups SECONDS     dup2() onto a registered number, while another thread closes and opens what is duplicated:
//                          it fails now and then after it has begun
//   whose ranges N         a number is closed by close_range() while a duplicate lives on: a ghost (EP303)
//   whose threads N        N threads take what another one adds and closes, with the epoll in common: stale events at
//                          worst (EP504) and ends that are read until they are closed (EP203), and none that is not known
// The number of the guilty descriptor is printed.
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

constexpr uint64_t kHandler = 0x7f0012345678;
constexpr auto kSpin = std::chrono::milliseconds(2500);

void must_fail(int result, int error, const char* what)
{
    if (result == -1 && errno == error)
        return;
    fprintf(stderr, "whose: %s: result %d, %s\n", what, result, strerror(errno));
    exit(3);
}

void add(int epoll, int fd, uint64_t data, uint32_t mask = EPOLLIN)
{
    epoll_event want{};
    want.events = mask;
    want.data.u64 = data;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want), "epoll_ctl");
}

int spin(int epoll, int guilty)
{
    auto until = std::chrono::steady_clock::now() + kSpin;
    long turns = 0;
    for (epoll_event got{}; std::chrono::steady_clock::now() < until; turns++)
        if (must(epoll_wait(epoll, &got, 1, 1000), "epoll_wait") != 1)
            return 3;
    printf("guilty %d, %ld turns\n", guilty, turns);
    return 0;
}

int dispatcher(long count)
{
    int epoll = new_epoll();
    std::vector<std::array<int, 2>> pairs;
    for (long i = 0; i < count; i++) {
        pairs.push_back(new_pair());
        add(epoll, pairs.back()[0], kHandler);
    }
    for (long i = 0; i < 20000; i++) {
        auto [mine, theirs] = pairs[static_cast<size_t>(i % count)];
        std::array<epoll_event, 8> got{};
        char byte = 0;
        put_byte(theirs);
        if (epoll_wait(epoll, got.data(), 8, 1000) != 1 || read(mine, &byte, 1) != 1)
            return 3;
    }
    return 0;
}

int shared(long count)
{
    int epoll = new_epoll();
    std::vector<std::array<int, 2>> pairs;
    for (long i = 0; i < count; i++) {
        pairs.push_back(new_pair());
        add(epoll, pairs.back()[0], kHandler);
    }
    auto [mine, theirs] = pairs[pairs.size() / 2];
    put_byte(theirs);
    return spin(epoll, mine);
}

int refused(long)
{
    rlimit limit{}, low{};
    must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    int epoll = new_epoll(), other = new_epoll();
    auto [mine, theirs] = new_pair();
    add(epoll, mine, static_cast<uint64_t>(mine));
    must_fail(dup2(-1, mine), EBADF, "dup2(-1)");
    must_fail(dup2(999, mine), EBADF, "dup2(999)");
    must_fail(dup3(theirs, mine, O_NONBLOCK), EINVAL, "dup3(O_NONBLOCK)");
    must_fail(dup3(mine, mine, 0), EINVAL, "dup3(same)");
    must_fail(dup2(-1, epoll), EBADF, "dup2(-1, epoll)");
    must(dup2(mine, mine), "dup2(same)");
    low = limit;
    low.rlim_cur = static_cast<rlim_t>(epoll);
    must(setrlimit(RLIMIT_NOFILE, &low), "setrlimit");
    must_fail(dup2(0, mine), EBADF, "dup2(beyond the limit)");
    must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    must_fail(close(-1), EBADF, "close(-1)");
    must_fail(close(999), EBADF, "close(999)");
    epoll_event want{};
    want.events = EPOLLIN;
    must_fail(epoll_ctl(other, EPOLL_CTL_MOD, mine, &want), ENOENT, "epoll_ctl(MOD)");
    must_fail(epoll_ctl(other, EPOLL_CTL_DEL, mine, nullptr), ENOENT, "epoll_ctl(DEL)");
    must_fail(epoll_ctl(theirs, EPOLL_CTL_DEL, mine, nullptr), EINVAL, "epoll_ctl(no epoll)");
    must_fail(epoll_ctl(-1, EPOLL_CTL_DEL, mine, nullptr), EBADF, "epoll_ctl(-1)");
    put_byte(theirs);
    return spin(epoll, mine);
}

int epolls(long count)
{
    int event = must(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    int first = new_epoll();
    add(first, event, static_cast<uint64_t>(event));
    for (long i = 1; i < count; i++)
        add(new_epoll(), event, static_cast<uint64_t>(event));
    return spin(first, event);
}

int herd(long count)
{
    const int listener = new_listener(SOCK_NONBLOCK, 8);
    std::atomic<bool> over = false;
    std::vector<std::thread> takers;
    for (long i = 0; i < count; i++)
        takers.emplace_back([&] {
            int epoll = new_epoll();
            add(epoll, listener, static_cast<uint64_t>(listener));
            for (epoll_event got{}; !over;)
                if (epoll_wait(epoll, &got, 1, 100) == 1) {
                    int taken = accept(listener, nullptr, nullptr);
                    if (taken >= 0)
                        close(taken);
                }
        });
    auto until = std::chrono::steady_clock::now() + kSpin;
    while (std::chrono::steady_clock::now() < until) {
        int client = connect_to(listener);
        usleep(5000);  // the pace of a client
        close(client);
    }
    over = true;
    for (std::thread& taker : takers)
        taker.join();
    printf("guilty %d\n", listener);
    return 0;
}

int ranges(long)
{
    int epoll = new_epoll();
    auto [mine, theirs] = new_pair();
    add(epoll, mine, static_cast<uint64_t>(mine));
    must(fcntl(mine, F_DUPFD_CLOEXEC, 100), "F_DUPFD");
    must(close_range(static_cast<unsigned>(mine), static_cast<unsigned>(mine), 0), "close_range");
    put_byte(theirs);
    auto until = std::chrono::steady_clock::now() + kSpin;
    for (epoll_event got{}; std::chrono::steady_clock::now() < until;) {
        if (must(epoll_wait(epoll, &got, 1, 1000), "epoll_wait") != 1)
            return 3;
        must_fail(epoll_ctl(epoll, EPOLL_CTL_DEL, mine, nullptr), EBADF, "epoll_ctl(DEL)");
    }
    printf("guilty %d\n", mine);
    return 0;
}

// Where others keep one CPU busy, two threads may be left on the other, and never meet inside the kernel.
void run_on_cpu(int which)
{
    cpu_set_t allowed, one;
    must(sched_getaffinity(0, sizeof(allowed), &allowed), "sched_getaffinity");
    which %= CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || which-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        must(sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
        return;
    }
}

int dups(long seconds)
{
    int epoll = new_epoll();
    auto [spare, other_end] = new_pair();
    const int source = must(fcntl(spare, F_DUPFD_CLOEXEC, 200), "F_DUPFD"), target = 100;
    std::atomic<bool> over = false;
    std::thread other([&, from = spare] {
        run_on_cpu(1);
        while (!over) {
            close(source);
            must(dup2(from, source), "dup2");
        }
    });
    run_on_cpu(0);
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    long failed = 0;
    while (std::chrono::steady_clock::now() < until) {
        auto [mine, theirs] = new_pair();
        must(dup2(mine, target), "dup2");
        close(mine);
        close(theirs);
        add(epoll, target, static_cast<uint64_t>(target));
        while (dup2(source, target) < 0)
            failed++;
    }
    over = true;
    other.join();
    close(other_end);
    printf("%ld failed\n", failed);
    return 0;
}

int threads(long count)
{
    int epoll = new_epoll();
    std::atomic<bool> over = false;
    std::vector<std::thread> takers;
    for (long i = 0; i < count; i++)
        takers.emplace_back([&] {
            while (!over) {
                std::array<epoll_event, 4> got{};
                int events = epoll_wait(epoll, got.data(), 4, 20);
                for (int e = 0; e < events; e++) {
                    char byte = 0;
                    (void)!read(got[static_cast<size_t>(e)].data.fd, &byte, 1);
                }
            }
        });
    auto until = std::chrono::steady_clock::now() + kSpin;
    long lives = 0;
    for (; std::chrono::steady_clock::now() < until; lives++) {
        auto [mine, theirs] = new_pair();
        put_byte(theirs);  // there at once: another thread is told before this call of epoll_ctl() has returned
        add(epoll, mine, static_cast<uint64_t>(mine), lives % 2 ? EPOLLIN : EPOLLIN | EPOLLET);
        close(theirs);
        close(mine);  // or while it is being told
    }
    over = true;
    for (std::thread& taker : takers)
        taker.join();
    printf("%ld lives\n", lives);
    return 0;
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"dispatcher", dispatcher}, {"shared", shared},   {"refused", refused},
        {"epolls", epolls},         {"herd", herd},       {"dups", dups},
        {"ranges", ranges},         {"threads", threads},
    };
    return play_role(argv + 1, roles);
}
