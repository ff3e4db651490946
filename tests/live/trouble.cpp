// SPDX-License-Identifier: Apache-2.0
// Correct programs in trouble: each role does something that has confused observers before, handles every event
// properly, and prints what it did. Nothing here may yield a finding, but where a rule is named.
//
//   trouble forks N | threads N | reuse SECONDS | idle N | nested ROUNDS | thrice ROUNDS | handover ROUNDS
//   trouble halves N               N half-closes that nobody asked to be told of (EP301), all there at every look
//   trouble refused SECONDS | meddled-spin SECONDS    calls that fail change nothing: the spin is one (EP202)
//   trouble meddled SECONDS        the same failing calls in a loop that reads: nothing to say
//   trouble wrong-rearm SECONDS    EPOLLONESHOT is armed again in the wrong epoll (EP104)
//   trouble exec PROGRAM...        leaves unread edge-triggered input behind and becomes another program
//   trouble as-pid PID PROGRAM...  starts PROGRAM under that process number (clone3 with set_tid) and waits for it
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

int new_eventfd() { return must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"); }

// Until EAGAIN, as edge-triggered registrations demand.
int drain(int fd)
{
    char buffer[64];
    int bytes = 0;
    for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;)
        bytes += static_cast<int>(n);
    return bytes;
}

// One epoll instance, one connection, one message: a short honest life.
void small_life()
{
    int epoll = new_epoll();
    auto [mine, theirs] = new_pair();
    watch(epoll, mine);
    put_byte(theirs);
    epoll_event got{};
    if (must(epoll_wait(epoll, &got, 1, 1000), "epoll_wait") != 1 || drain(mine) != 1)
        exit(3);
}

int forks(long count)
{
    constexpr long kAtOnce = 16;
    for (long started = 0; started < count;) {
        long wave = std::min(kAtOnce, count - started);
        for (long i = 0; i < wave; i++)
            if (must(fork(), "fork") == 0) {
                small_life();
                _exit(0);  // closes nothing: the kernel does
            }
        for (long i = 0; i < wave; i++) {
            int status = 0;
            must(wait(&status), "wait");
            if (status)
                exit(3);
        }
        started += wave;
    }
    printf("%ld children\n", count);
    return 0;
}

int threads(long count)
{
    constexpr long kAtOnce = 32;
    for (long started = 0; started < count; started += kAtOnce) {
        std::vector<std::thread> wave;
        for (long i = 0; i < kAtOnce; i++)
            wave.emplace_back([] {
                int epoll = new_epoll(), event = new_eventfd();
                watch(epoll, event, EPOLLIN | EPOLLET);
                uint64_t one = 1;
                epoll_event got{};
                if (write(event, &one, sizeof(one)) != sizeof(one) || epoll_wait(epoll, &got, 1, 1000) != 1)
                    exit(3);
                drain(event);
                close(event);
                close(epoll);
            });
        for (std::thread& thread : wave)
            thread.join();
    }
    printf("%ld threads\n", count);
    return 0;
}

// Numbers and struct files are recycled as fast as the kernel can.
int reuse(double seconds)
{
    using Clock = std::chrono::steady_clock;
    int epoll = new_epoll();
    long closes = 0;
    auto start = Clock::now();
    auto end = start + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
        for (int i = 0; i < 64; i++) {
            int event = new_eventfd();
            watch(epoll, event, i % 2 ? EPOLLIN | EPOLLET : EPOLLIN | EPOLLONESHOT);
            close(event);
            closes++;
        }
    }
    printf("%.0f closes per second\n",
           static_cast<double>(closes) / std::chrono::duration<double>(Clock::now() - start).count());
    return 0;
}

// Descriptors that this process may open, once it has raised its limit as far as it may.
long room_for_descriptors()
{
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    return static_cast<long>(limit.rlim_max) - 64;
}

// In as many processes as the limit on descriptors, which may not be ours to raise, demands.
// The pipe is their barrier: it ends when the last of them has registered all of its files.
int idle_behind(long count, const int (&barrier)[2])
{
    long room = room_for_descriptors();
    pid_t next = count > room ? must(fork(), "fork") : -1;
    if (next == 0)
        return idle_behind(count - room, barrier);
    int epoll = new_epoll();
    for (long i = 0; i < std::min(count, room); i++)
        watch(epoll, new_eventfd());
    char nothing = 0;
    close(barrier[1]);
    if (read(barrier[0], &nothing, 1) != 0)
        return 3;
    epoll_event got{};
    must(epoll_wait(epoll, &got, 1, 4000), "epoll_wait");
    int status = 0;
    if (next > 0)
        waitpid(next, &status, 0);
    return status ? 3 : 0;
}

int idle(long count)
{
    int barrier[2];
    must(pipe(barrier), "pipe");
    return idle_behind(count, barrier);
}

int halves(long count)
{
    int epoll = new_epoll();
    if (2 * count > room_for_descriptors())
        return 3;
    for (long i = 0; i < count; i++) {
        auto [ours, theirs] = new_pair();
        watch(epoll, ours, 0);
        must(shutdown(theirs, SHUT_WR), "shutdown");
    }
    epoll_event got{};
    must(epoll_wait(epoll, &got, 1, 5000), "epoll_wait");
    return 0;
}

// The outer instance learns through two others that a file is ready.
int nested(long rounds)
{
    int outer = new_epoll(), middle = new_epoll(), inner = new_epoll(), event = new_eventfd();
    watch(inner, event);
    watch(middle, inner);
    watch(outer, middle);
    for (long i = 0; i < rounds; i++) {
        uint64_t one = 1;
        epoll_event got{};
        if (write(event, &one, sizeof(one)) != sizeof(one))
            return 3;
        for (int epoll : {outer, middle, inner})
            if (epoll_wait(epoll, &got, 1, 1000) != 1)
                return 3;
        drain(event);
    }
    printf("%ld rounds\n", rounds);
    return 0;
}

// One socket, three interest lists with three masks; whoever is told first takes the data.
int thrice(long rounds)
{
    auto [mine, theirs] = new_pair();
    std::array<int, 3> epolls{new_epoll(), new_epoll(), new_epoll()};
    watch(epolls[0], mine, EPOLLIN);
    watch(epolls[1], mine, EPOLLIN | EPOLLET);
    watch(epolls[2], mine, EPOLLIN | EPOLLRDHUP | EPOLLET);
    for (long i = 0; i < rounds; i++) {
        epoll_event got{};
        put_byte(theirs);
        for (int epoll : epolls)
            if (epoll_wait(epoll, &got, 1, 1000) != 1)
                return 3;
        drain(mine);
    }
    printf("%ld rounds\n", rounds);
    return 0;
}

void send_fd(int over, int fd)
{
    char byte = 0, space[CMSG_SPACE(sizeof(int))] = {};
    iovec data{&byte, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    must(sendmsg(over, &message, 0), "sendmsg");
}

int receive_fd(int over)
{
    char byte = 0, space[CMSG_SPACE(sizeof(int))] = {};
    iovec data{&byte, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    if (recvmsg(over, &message, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

// The worker: registers what it is handed, reads the one byte, closes it.
int take_over(int channel)
{
    int epoll = new_epoll();
    for (int fd; (fd = receive_fd(channel)) >= 0; close(fd)) {
        epoll_event got{};
        watch(epoll, fd, EPOLLIN | EPOLLET);
        if (epoll_wait(epoll, &got, 1, 1000) != 1 || drain(fd) != 1)
            return 3;
    }
    return 0;
}

// The master: has each connection in its own interest list first, takes it out properly, and hands it on.
int handover(long rounds)
{
    int channel[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), "socketpair");
    pid_t worker = must(fork(), "fork");
    if (worker == 0) {
        close(channel[0]);
        _exit(take_over(channel[1]));
    }
    close(channel[1]);
    int epoll = new_epoll();
    for (long i = 0; i < rounds; i++) {
        auto [mine, theirs] = new_pair();
        epoll_event got{};
        watch(epoll, mine);
        put_byte(theirs);
        if (epoll_wait(epoll, &got, 1, 1000) != 1)
            return 3;
        must(epoll_ctl(epoll, EPOLL_CTL_DEL, mine, nullptr), "epoll_ctl");
        send_fd(channel[0], mine);
        close(mine);
        close(theirs);
    }
    close(channel[0]);
    int status = 0;
    waitpid(worker, &status, 0);
    printf("%ld handed over\n", rounds);
    return status ? 3 : 0;
}

// Calls that fail leave everything as it was: what is registered stays so, and a loop that ignores it spins.
int refused(long seconds)
{
    int epoll = new_epoll();
    auto [mine, theirs] = new_pair();
    watch(epoll, mine, EPOLLIN);
    bool failed = dup2(-1, mine) < 0 && dup3(theirs, mine, 1) < 0 && dup2(-1, epoll) < 0 && dup2(theirs, 1 << 30) < 0 &&
                  close(1 << 30) < 0;
    if (!failed)
        return 3;
    put_byte(theirs);
    for (time_t until = time(nullptr) + seconds; time(nullptr) < until;) {
        epoll_event got{};
        if (epoll_wait(epoll, &got, 1, 1000) != 1)
            return 3;
    }
    return 0;
}

// Calls on an epoll that does not know the fd, or knows it already: each fails with this errno.
void meddle(int own, int other, int fd)
{
    auto fails = [&](int epoll, int operation, uint32_t mask, int code) {
        epoll_event want{};
        want.events = mask;
        if (epoll_ctl(epoll, operation, fd, &want) == 0 || errno != code)
            exit(3);
    };
    fails(other, EPOLL_CTL_MOD, EPOLLIN | EPOLLET, ENOENT);
    fails(other, EPOLL_CTL_MOD, 0, ENOENT);
    fails(other, EPOLL_CTL_DEL, 0, ENOENT);
    fails(own, EPOLL_CTL_ADD, EPOLLOUT | EPOLLONESHOT, EEXIST);
    fails(fd, EPOLL_CTL_DEL, 0, EINVAL);
    fails(1 << 30, EPOLL_CTL_DEL, 0, EBADF);
}

// A loop that never reads what it is told of, or always does.
int wrong_epoll(long seconds, bool reads)
{
    int own = new_epoll(), other = new_epoll();
    auto [mine, theirs] = new_pair();
    watch(other, new_eventfd());
    watch(own, mine);
    put_byte(theirs);
    long turns = 0;
    for (time_t until = time(nullptr) + seconds; time(nullptr) < until; turns++) {
        epoll_event got{};
        if (turns % 64 == 1)
            meddle(own, other, mine);
        if (epoll_wait(own, &got, 1, 1000) != 1)
            return 3;
        if (reads) {
            drain(mine);
            put_byte(theirs);
        }
    }
    printf("%ld turns\n", turns);
    return 0;
}

// EPOLLONESHOT fires, and the call that should arm it again goes to another epoll: input waits, nobody will be told.
int wrong_rearm(long seconds)
{
    int own = new_epoll(), other = new_epoll();
    auto [mine, theirs] = new_pair();
    epoll_event got{};
    watch(own, mine, EPOLLIN | EPOLLONESHOT);
    put_byte(theirs);
    if (epoll_wait(own, &got, 1, 1000) != 1 || drain(mine) != 1)
        return 3;
    got.events = EPOLLIN | EPOLLONESHOT;
    if (epoll_ctl(other, EPOLL_CTL_MOD, mine, &got) == 0 || errno != ENOENT)
        return 3;
    put_byte(theirs);
    for (time_t until = time(nullptr) + seconds; time(nullptr) < until;)
        if (epoll_wait(own, &got, 1, 500) != 0)
            return 3;
    return 0;
}

// What waits here unread dies with the image; the next program starts with a clean slate.
int exec_into(char** words)
{
    char** command = words + 1;
    int epoll = new_epoll();
    auto [mine, theirs] = new_pair();
    watch(epoll, mine, EPOLLIN | EPOLLET);
    put_byte(theirs);
    epoll_event got{};
    if (epoll_wait(epoll, &got, 1, 1000) != 1)
        return 3;
    execv(command[0], command);
    return must(-1, command[0]);
}

int as_pid(char** words)
{
    pid_t pid = atoi(words[1]);
    char** command = words + 2;
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<uint64_t>(&pid);
    arguments.set_tid_size = 1;
    pid_t child = must(syscall(SYS_clone3, &arguments, sizeof(arguments)), "clone3");
    if (child == 0) {
        execv(command[0], command);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"forks", forks},
        {"threads", threads},
        {"reuse", reuse},
        {"idle", idle},
        {"halves", halves},
        {"nested", nested},
        {"thrice", thrice},
        {"handover", handover},
        {"refused", refused},
        {"meddled-spin", [](long seconds) { return wrong_epoll(seconds, false); }},
        {"meddled", [](long seconds) { return wrong_epoll(seconds, true); }},
        {"wrong-rearm", wrong_rearm},
        {"exec", 1, exec_into},
        {"as-pid", 2, as_pid},
    };
    return play_role(argv + 1, roles);
}
