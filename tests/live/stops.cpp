// SPDX-License-Identifier: Apache-2.0
// Servers that are kept from running, that sleep, or that wake one another: each role says what may be found.
//
//   stops signal | ptrace | freeze2 DIR | freeze1 DIR   a correct server that is stopped for a while: nothing
//   stops starve DIR        ... that gets next to no CPU time from the cpu cgroup DIR (v1): a remark of EP404
//   stops nap ROUNDS        one client waits while the handler of another one sleeps: EP404
//   stops relay ROUNDS      pollers that hand accept() to a scheduler: nothing
//   stops ring ROUNDS       threads woken one at a time by MOD of an eventfd that nobody reads: nothing
//   stops lend              two epolls without close-on-exec, closed by the child right after exec: nothing
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

constexpr auto kStop = std::chrono::milliseconds(1600);
constexpr auto kLongStop = std::chrono::milliseconds(2800);  // longer than the patience of EP101 and EP301
constexpr auto kPace = std::chrono::microseconds(800);       // longer than the window of EP401, in all

void write_file(const std::string& path, const char* text)
{
    int fd = must(open(path.c_str(), O_WRONLY | O_CLOEXEC), path.c_str());
    must(write(fd, text, strlen(text)), path.c_str());
    close(fd);
}

std::string read_file(const std::string& path)
{
    char text[512]{};
    int fd = must(open(path.c_str(), O_RDONLY | O_CLOEXEC), path.c_str());
    must(read(fd, text, sizeof(text) - 1), path.c_str());
    close(fd);
    return text;
}

// --- ways to keep a process from running ---

struct Stop {
    std::string how;
    std::string directory;
    pid_t server = 0;

    bool by_file() const { return how == "freeze1" || how == "freeze2"; }
    std::string file() const { return directory + (how == "freeze1" ? "/freezer.state" : "/cgroup.freeze"); }

    // In the server: before its client is born.
    void enter() const
    {
        if (by_file())
            write_file(directory + "/cgroup.procs", std::to_string(getpid()).c_str());
    }
    void begin() const
    {
        if (how == "signal")
            must(kill(server, SIGSTOP), "kill");
        else if (by_file())
            write_file(file(), how == "freeze1" ? "FROZEN" : "1");
        else if (must(ptrace(PTRACE_SEIZE, server, nullptr, nullptr), "PTRACE_SEIZE") == 0)
            must(ptrace(PTRACE_INTERRUPT, server, nullptr, nullptr), "PTRACE_INTERRUPT");
    }
    bool begun() const
    {
        if (how == "signal") {
            std::string stat = read_file("/proc/" + std::to_string(server) + "/stat");
            return stat[stat.rfind(')') + 2] == 'T';
        }
        if (how == "freeze1")
            return read_file(file()) == "FROZEN\n";
        if (how == "freeze2")
            return read_file(directory + "/cgroup.events").find("frozen 1") != std::string::npos;
        int status = 0;
        return waitpid(server, &status, __WALL | WNOHANG) == server && WIFSTOPPED(status);
    }
    void end() const
    {
        if (how == "signal")
            must(kill(server, SIGCONT), "kill");
        else if (by_file())
            write_file(file(), how == "freeze1" ? "THAWED" : "0");
        else
            must(ptrace(PTRACE_DETACH, server, nullptr, nullptr), "PTRACE_DETACH");
    }
};

// --- the server: edge-triggered, and drains what it is told of ---

struct Handler {
    Stop stop;
    int nap_ms = 0;
    int compute_ms = 0;
};

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void compute(int ms)
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    for (long until = now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
         now.tv_sec * 1000 + now.tv_nsec / 1000000 < until;)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
}

constexpr uint32_t kAll = EPOLLIN | EPOLLRDHUP | EPOLLET;

// 'h': the server is stopped with a part of the request read, and the connection parked; 'n': it sleeps or computes
// first. Answers one byte.
void handle(int epoll, int fd, const Handler& handler)
{
    char request[10]{};
    ssize_t n = read(fd, request, sizeof(request));
    if (n <= 0)
        return void(close(fd));
    if (request[0] == 'h') {
        arm(epoll, fd, 0);
        sleep_ms(20);
        handler.stop.begin();
        sleep_ms(20);
        arm(epoll, fd, kAll);
    }
    if (request[0] == 'n' && handler.nap_ms)
        sleep_ms(handler.nap_ms);
    if (request[0] == 'n' && handler.compute_ms)
        compute(handler.compute_ms);
    while ((n = read(fd, request, sizeof(request))) > 0)
        continue;
    must(send(fd, "k", 1, MSG_NOSIGNAL), "send");
    if (n == 0)
        close(fd);
}

void serve(int listener, int connections, const Handler& handler)
{
    int epoll = new_epoll();
    watch(epoll, listener, EPOLLIN);
    int status = 0;
    while (waitpid(-1, &status, WNOHANG) == 0) {
        epoll_event got[8];
        int count = epoll_wait(epoll, got, 8, 100);
        for (int i = 0; i < count; i++) {
            if (got[i].data.fd != listener) {
                handle(epoll, got[i].data.fd, handler);
                continue;
            }
            int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            watch(epoll, fd, kAll);
            if (--connections == 0)
                must(epoll_ctl(epoll, EPOLL_CTL_DEL, listener, nullptr), "epoll_ctl(DEL)");
        }
    }
    if (status)
        exit(3);
}

// --- its clients, in a process of their own: it goes on while the server stands still ---

struct Clients {
    std::array<int, 3> fd{};

    explicit Clients(int listener)
    {
        for (int& one : fd)
            one = connect_to(listener);
    }
    void ask(int which, const char* text) { must(send(fd[which], text, strlen(text), MSG_NOSIGNAL), "send"); }
    void answered(int which)
    {
        char answer = 0;
        if (recv(fd[which], &answer, 1, 0) != 1)
            must(-1, "recv");
    }
};

void others_wait_for(Clients& clients, const Stop& stop, std::chrono::milliseconds how_long)
{
    while (!stop.begun())
        sleep_ms(1);
    clients.ask(1, "x");
    clients.ask(2, "x");
    std::this_thread::sleep_for(how_long);
    stop.end();
    clients.answered(1);
    clients.answered(2);
}

// `words`: how, and the directory of the cgroup.
int stopped(char** words)
{
    const Stop how{words[0], words[1] ? words[1] : "", 0};
    const int listener = new_listener(SOCK_NONBLOCK);
    Handler handler{how, 0, 0};
    handler.stop.server = getpid();
    if (must(fork(), "fork") == 0) {
        Clients clients(listener);
        for (int i = 0; i < 3; i++) {
            clients.ask(i, "x");
            clients.answered(i);
        }
        if (how.how != "ptrace") {  // in a handler that has read the half of it
            clients.ask(0, "half of it, and the other half");
            must(shutdown(clients.fd[0], SHUT_WR), "shutdown");
            others_wait_for(clients, handler.stop, kLongStop);
            clients.answered(0);
        }
        for (int i = 0; i < 2; i++) {  // asleep in epoll_wait
            handler.stop.begin();
            others_wait_for(clients, handler.stop, kStop);
        }
        _exit(0);
    }
    how.enter();
    serve(listener, 3, handler);
    return 0;
}

// Of two clients one has its request handled, slowly; the other one sends its own meanwhile.
int slow(long rounds, Handler handler, const std::string& cgroup)
{
    const int listener = new_listener(SOCK_NONBLOCK);
    if (must(fork(), "fork") == 0) {
        Clients clients(listener);
        for (long i = 0; i < rounds; i++) {
            clients.ask(0, "n");
            sleep_ms(20);
            clients.ask(1, "x");
            clients.answered(0);
            clients.answered(1);
        }
        _exit(0);
    }
    if (!cgroup.empty())
        write_file(cgroup + "/cgroup.procs", std::to_string(getpid()).c_str());
    serve(listener, 3, handler);
    return 0;
}

int starve(char** words) { return slow(5, {{}, 0, 15}, words[1]); }

int nap(long rounds) { return slow(rounds, {{}, 300, 0}, {}); }

// --- wake-ups that reach one thread ---

// Six pollers, each with an epoll of its own; one of them is told, and wakes the scheduler, which accepts.
int relay(long rounds)
{
    constexpr int kPollers = 6;
    const int listener = new_listener(SOCK_NONBLOCK);
    std::mutex lock;
    std::condition_variable changed;
    long told = 0;
    for (int i = 0; i < kPollers; i++)
        std::thread([&] {
            int epoll = new_epoll();
            watch(epoll, listener, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
            for (;;) {
                epoll_event got{};
                if (epoll_wait(epoll, &got, 1, -1) != 1)
                    continue;
                std::lock_guard guard(lock);
                told++;
                changed.notify_one();
            }
        }).detach();
    std::thread scheduler([&] {
        for (long accepted = 0; accepted < rounds;) {
            std::unique_lock guard(lock);
            changed.wait(guard, [&] { return told > 0; });
            told--;
            guard.unlock();
            for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; accepted++)
                close(fd);
        }
    });
    for (long i = 0; i < rounds; i++) {
        int fd = connect_to(listener);
        char end = 0;
        if (recv(fd, &end, 1, 0) != 0)
            must(-1, "recv");
        close(fd);
        std::this_thread::sleep_for(kPace);
    }
    scheduler.join();
    printf("%ld connections\n", rounds);
    fflush(stdout);
    _exit(0);
}

// ivykis: one eventfd, never read, in each thread's epoll; armed once in that of the thread to be woken.
int ring(long rounds)
{
    constexpr int kThreads = 8;
    int bell = must(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    std::array<int, kThreads> epolls{};
    std::array<std::atomic<long>, kThreads> woken{};
    for (int i = 0; i < kThreads; i++) {
        epolls[i] = new_epoll();
        watch(epolls[i], bell, 0);
        std::thread([&, i] {
            for (;;) {
                epoll_event got{};
                if (epoll_wait(epolls[i], &got, 1, -1) != 1)
                    continue;
                woken[i]++;
                woken[i].notify_one();
            }
        }).detach();
    }
    for (long i = 0; i < rounds; i++) {
        int which = static_cast<int>(i % kThreads);
        long before = woken[which];
        arm(epolls[which], bell, EPOLLIN | EPOLLONESHOT);
        woken[which].wait(before);
        std::this_thread::sleep_for(kPace);
    }
    printf("%ld wake-ups\n", rounds);
    fflush(stdout);
    _exit(0);
}

// --- exec ---

int lend()
{
    const char* self = program_invocation_name;
    int epoll = must(epoll_create1(0), "epoll_create1");
    const std::array<int, 2> pair = new_pair();
    watch(epoll, pair[0], EPOLLIN);
    watch(must(epoll_create1(0), "epoll_create1"), pair[1], EPOLLIN);
    for (int i = 0; i < 3; i++) {
        pid_t child = must(vfork(), "vfork");
        if (child == 0) {
            execl(self, self, "tidy", i % 2 ? "1" : "0", nullptr);
            _exit(127);
        }
        int status = 0;
        must(waitpid(child, &status, 0), "waitpid");
        if (status)
            return 3;
    }
    return 0;
}

// Closes what it was not meant to have, then works for a while, or is done.
int tidy(long works)
{
    must(syscall(SYS_close_range, 3, ~0U, 0), "close_range");
    if (works)
        sleep_ms(900);
    return 0;
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"signal", 0, stopped}, {"ptrace", 0, stopped}, {"freeze2", 1, stopped}, {"freeze1", 1, stopped},
        {"starve", 1, starve},  {"nap", nap},           {"relay", relay},        {"ring", ring},
        {"lend", lend},         {"tidy", tidy},
    };
    return play_role(argv + 1, roles);
}
