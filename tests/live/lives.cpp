// SPDX-License-Identifier: Apache-2.0
// Processes with unusual lives: what tests/live/lives.py watches.
//
//   lives leaderless SECONDS        its first thread ends, another one spins on a writable socket (EP201)
//   lives served-leaderless SECONDS the same, correct
//   lives keeps FD PROGRAM...       executes PROGRAM, which inherits an epoll under the number FD (EP603)
//   lives thread-exec PROGRAM...    a thread that polls, not the first, executes PROGRAM
//   lives brood SECONDS             forks children that live for a moment, all the time; each polls once
//   lives lineage WIDTH             waits for a line; then forks and executes a family, all of which poll and count, and
//                                   prints how often
//   lives poller PID                polls as often as each line says; under the number PID, or 0: any
//   lives last-words SECONDS PER_S  connections that are left unread, rescued and closed, so many a second
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

using Clock = std::chrono::steady_clock;

void put(int fd)
{
    if (write(fd, "0123456789", 10) != 10)
        must(-1, "write");
}

Clock::time_point after(double seconds)
{
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void poll_until(Clock::time_point end, bool spins)
{
    const int epoll = new_epoll();
    auto [mine, theirs] = new_pair();
    watch(epoll, mine, spins ? EPOLLIN | EPOLLOUT : EPOLLIN);
    epoll_event got{};
    char buffer[16];
    while (Clock::now() < end) {
        if (!spins)
            put(theirs);
        must(epoll_wait(epoll, &got, 1, 100), "epoll_wait");
        while (read(mine, buffer, sizeof(buffer)) > 0) {}
        if (!spins)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

// Says so when the first thread has ended, as far as a thread can know: it is a zombie in /proc.
int leaderless(double seconds, bool spins)
{
    std::thread([seconds, spins] {
        char state = '?';
        while (state != 'Z') {
            char path[64], line[512] = "";
            snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
            FILE* file = fopen(path, "r");
            if (file && fgets(line, sizeof(line), file))
                state = strrchr(line, ')')[2];
            if (file)
                fclose(file);
        }
        printf("up\n");
        fflush(stdout);
        poll_until(after(seconds), spins);
        exit(0);
    }).detach();
    pthread_exit(nullptr);
}

int keeps(char** words)
{
    const int number = atoi(words[1]);
    char** command = words + 2;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(number) + 1;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur;
    must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    const int epoll = must(epoll_create1(0), "epoll_create1");
    auto [mine, theirs] = new_pair();
    watch(epoll, mine, EPOLLIN);
    must(dup2(epoll, number), "dup2");
    close(epoll);
    execv(command[0], command);
    return must(-1, command[0]);
}

int thread_exec(char** words)
{
    char** command = words + 1;
    std::thread([command] {
        const int epoll = new_epoll();
        auto [mine, theirs] = new_pair();
        watch(epoll, mine, EPOLLIN);
        epoll_event got{};
        std::thread waker([at = theirs] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));  // so that the other one is woken from a sleep
            put(at);
        });
        must(epoll_wait(epoll, &got, 1, 10'000), "epoll_wait");
        waker.join();
        printf("%d\n", gettid());
        fflush(stdout);
        execv(command[0], command);
        must(-1, command[0]);
    }).join();
    return 3;
}

int brood(double seconds)
{
    const auto end = after(seconds);
    printf("up\n");
    fflush(stdout);
    while (Clock::now() < end) {
        for (int i = 0; i < 8; i++)
            if (must(fork(), "fork") == 0) {
                poll_until(Clock::now(), false);
                _exit(0);
            }
        for (int i = 0; i < 8; i++)
            wait(nullptr);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // epolls of the dead are cleared at looks only
    }
    return 0;
}

int last_words(double seconds, long per_second)
{
    const int epoll = new_epoll();
    const auto begin = Clock::now();
    long closed = 0;
    for (const auto end = after(seconds); Clock::now() < end; closed++) {
        auto [mine, theirs] = new_pair();
        watch(epoll, mine, EPOLLIN | EPOLLET);
        char buffer[64];
        epoll_event got{};
        put(theirs);
        bool fine = epoll_wait(epoll, &got, 1, 1000) == 1 && read(mine, buffer, 4) == 4;
        fine = fine && epoll_wait(epoll, &got, 1, 0) == 0;  // six bytes are left, and nobody says so
        put(theirs);
        fine = fine && epoll_wait(epoll, &got, 1, 1000) == 1;
        while (read(mine, buffer, sizeof(buffer)) > 0) {}
        if (!fine)
            exit(3);
        close(mine);
        close(theirs);
        std::this_thread::sleep_until(begin + std::chrono::nanoseconds(1'000'000'000 / per_second) * closed);
    }
    printf("%ld closed\n", closed);
    return 0;
}

// On an epoll of its own, of which one file is always ready.
void poll_times(long times)
{
    const int at = new_epoll();
    const int ready = must(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    watch(at, ready);
    epoll_event event{};
    for (long i = 0; i < times; i++)
        must(epoll_wait(at, &event, 1, 0), "epoll_wait");
    close(ready);
    close(at);
}

// What the whole family shares: a descriptor that every exec leaves open.
constexpr int kTally = 250;

void poll_and_count(long times)
{
    void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, kTally, 0);
    if (memory == MAP_FAILED)
        must(-1, "mmap");
    poll_times(times);
    static_cast<std::atomic<long>*>(memory)->fetch_add(times);
    munmap(memory, 4096);
}

int member(long generation)
{
    poll_and_count(7);
    char deeper[24];
    snprintf(deeper, sizeof(deeper), "%ld", generation - 1);
    if (generation > 1 && must(fork(), "fork") == 0) {
        poll_and_count(3);
        execl("/proc/self/exe", "lives", "member", deeper, nullptr);
        must(-1, "execl");
    }
    if (generation == 2) {  // and once more by a thread that is not the first
        std::thread([&] { execl("/proc/self/exe", "lives", "member", deeper, nullptr); }).detach();
        pause();
    }
    while (wait(nullptr) > 0)
        continue;
    return 0;
}

int lineage(long width)
{
    char line[16];
    must(dup2(must(memfd_create("tally", 0), "memfd_create"), kTally), "dup2");
    must(ftruncate(kTally, 4096), "ftruncate");
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    for (long i = 0; i < width; i++) {
        if (must(fork(), "fork") == 0) {
            poll_and_count(5);
            _exit(member(3));
        }
        std::thread([] { poll_and_count(2); }).join();
        if (i % 8 == 7)  // so that some live while others begin
            wait(nullptr);
    }
    while (wait(nullptr) > 0)
        continue;
    long total = 0;
    must(pread(kTally, &total, sizeof(total), 0), "pread");
    printf("%ld\n", total);
    return 0;
}

int poller(long pid)
{
    pid_t number = static_cast<pid_t>(pid);
    clone_args how{};
    how.exit_signal = SIGCHLD;
    how.set_tid = number ? reinterpret_cast<uintptr_t>(&number) : 0;
    how.set_tid_size = number ? 1 : 0;
    const long child = syscall(SYS_clone3, &how, sizeof(how));
    must(child, "clone3");
    if (child > 0) {
        int status = 0;
        waitpid(static_cast<pid_t>(child), &status, 0);
        return WEXITSTATUS(status);
    }
    char line[16];
    printf("%d\n", getpid());
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        poll_times(atol(line));
        printf("done\n");
        fflush(stdout);
    }
    return 0;
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"leaderless", [](double seconds) { return leaderless(seconds, true); }},
        {"served-leaderless", [](double seconds) { return leaderless(seconds, false); }},
        {"keeps", 2, keeps},
        {"thread-exec", 1, thread_exec},
        {"brood", brood},
        {"lineage", lineage},
        {"member", member},
        {"poller", poller},
        {"last-words", 2, [](char** words) { return last_words(atof(words[1]), atol(words[2])); }},
    };
    return play_role(argv + 1, roles);
}
