// SPDX-License-Identifier: Apache-2.0
#include "src/strace/calls.h"

#include <array>
#include <iterator>

namespace epaudit {
namespace {

struct NamedCall {
    std::string_view name;
    uint8_t call;
};

// The same list as src/capture/live_syscalls.cpp, then what only a log must tell. pread() and its like are at a position:
// streams refuse them (ESPIPE), and what they succeed on epoll does not watch (EPERM), so that they answer no event, and are
// calls like others. preadv2() at -1 is at none.
constexpr NamedCall kCalls[] = {{"epoll_create", CALL_EPOLL_CREATE},
                                {"epoll_create1", CALL_EPOLL_CREATE},
                                {"epoll_ctl", CALL_EPOLL_CTL},
                                {"epoll_wait", CALL_EPOLL_WAIT},
                                {"epoll_pwait", CALL_EPOLL_WAIT},
                                {"epoll_pwait2", CALL_EPOLL_PWAIT2},
                                {"read", CALL_READ},
                                {"readv", CALL_READV},
                                {"preadv2", CALL_READV},
                                {"recvfrom", CALL_RECVFROM},
                                {"recv", CALL_RECVFROM},
                                {"recvmsg", CALL_RECVMSG},
                                {"recvmmsg", CALL_RECVMMSG},
                                {"recvmmsg_time64", CALL_RECVMMSG},
                                {"mq_timedreceive", LOG_MQ},
                                {"mq_timedreceive_time64", LOG_MQ},
                                {"vmsplice", CALL_WRITEV},
                                {"write", CALL_WRITE},
                                {"writev", CALL_WRITEV},
                                {"pwritev2", CALL_WRITEV},
                                {"sendto", CALL_SENDTO},
                                {"send", CALL_SENDTO},
                                {"sendmsg", CALL_SENDMSG},
                                {"sendmmsg", CALL_SENDMMSG},
                                {"splice", CALL_SPLICE},
                                {"tee", CALL_TEE},
                                {"sendfile", CALL_SENDFILE},
                                {"sendfile64", CALL_SENDFILE},
                                {"accept", CALL_ACCEPT},
                                {"accept4", CALL_ACCEPT},
                                {"connect", CALL_CONNECT},
                                {"shutdown", CALL_SHUTDOWN},
                                {"close", CALL_CLOSE},
                                {"close_range", CALL_CLOSE_RANGE},
                                {"dup", CALL_DUP},
                                {"dup2", CALL_DUP2},
                                {"dup3", CALL_DUP2},
                                {"fcntl", CALL_FCNTL},
                                {"fcntl64", CALL_FCNTL},
                                {"timerfd_settime", CALL_SETTIME},
                                {"timerfd_settime64", CALL_SETTIME},
                                {"getsockopt", CALL_GETSOCKOPT},
                                {"ioctl", CALL_IOCTL},
                                {"futex", CALL_FUTEX},
                                {"futex_time64", CALL_FUTEX},
                                {"socket", LOG_SOCKET},
                                {"socketpair", LOG_SOCKETPAIR},
                                {"listen", LOG_LISTEN},
                                {"bind", LOG_BIND},
                                {"pipe", LOG_PIPE},
                                {"pipe2", LOG_PIPE},
                                {"eventfd", LOG_EVENTFD},
                                {"eventfd2", LOG_EVENTFD},
                                {"timerfd_create", LOG_TIMERFD},
                                {"signalfd", LOG_SIGNALFD},
                                {"signalfd4", LOG_SIGNALFD},
                                {"open", LOG_OPEN},
                                {"openat", LOG_OPEN},
                                {"openat2", LOG_OPEN},
                                {"creat", LOG_OPEN},
                                {"inotify_init", LOG_OTHER_FD},
                                {"inotify_init1", LOG_OTHER_FD},
                                {"fanotify_init", LOG_OTHER_FD},
                                {"pidfd_open", LOG_OTHER_FD},
                                {"pidfd_getfd", CALL_NONE},
                                {"memfd_create", LOG_OTHER_FD},
                                {"userfaultfd", LOG_OTHER_FD},
                                {"perf_event_open", LOG_OTHER_FD},
                                {"bpf", LOG_OTHER_FD},
                                {"io_uring_setup", LOG_URING},
                                {"io_uring_enter", LOG_URING},
                                {"io_uring_register", LOG_URING},
                                {"clone", LOG_FORK},
                                {"clone3", LOG_FORK},
                                {"fork", LOG_FORK},
                                {"vfork", LOG_FORK},
                                {"execve", LOG_EXEC},
                                {"execveat", LOG_EXEC},
                                {"pread64", LOG_AT},
                                {"pread", LOG_AT},
                                {"preadv", LOG_AT},
                                {"pwrite64", LOG_AT},
                                {"pwrite", LOG_AT},
                                {"pwritev", LOG_AT},
                                // No filter for descriptors lets these through; mmap() has one, and is not among them.
                                {"brk", LOG_EVERYDAY},
                                {"munmap", LOG_EVERYDAY},
                                {"mprotect", LOG_EVERYDAY},
                                {"madvise", LOG_EVERYDAY},
                                {"rt_sigaction", LOG_EVERYDAY},
                                {"rt_sigprocmask", LOG_EVERYDAY},
                                {"getpid", LOG_EVERYDAY},
                                {"gettid", LOG_EVERYDAY},
                                {"getppid", LOG_EVERYDAY},
                                {"gettimeofday", LOG_EVERYDAY},
                                {"clock_gettime", LOG_EVERYDAY},
                                {"clock_nanosleep", LOG_EVERYDAY},
                                {"nanosleep", LOG_EVERYDAY},
                                {"getrandom", LOG_EVERYDAY},
                                {"sched_yield", LOG_EVERYDAY},
                                {"getrusage", LOG_EVERYDAY},
                                {"times", LOG_EVERYDAY},
                                {"set_robust_list", LOG_EVERYDAY},
                                {"rseq", LOG_EVERYDAY},
                                {"arch_prctl", LOG_EVERYDAY},
                                {"prlimit64", LOG_EVERYDAY},
                                {"uname", LOG_EVERYDAY}};

constexpr size_t kSlots = 512;  // a power of two, several times the number of names

// FNV-1a. The table is small enough to stay in the first-level cache.
constexpr uint32_t hash(std::string_view name)
{
    uint32_t h = 2166136261U;
    for (char c : name)
        h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
    return h ^ h >> 15;
}

// Open addressing; 0: free, else 1 + index in kCalls.
constexpr std::array<uint8_t, kSlots> make_table()
{
    std::array<uint8_t, kSlots> table{};
    static_assert(std::size(kCalls) < 255 && std::size(kCalls) * 4 < kSlots);
    for (size_t i = 0; i < std::size(kCalls); i++) {
        size_t at = hash(kCalls[i].name) % kSlots;
        while (table[at])
            at = (at + 1) % kSlots;
        table[at] = static_cast<uint8_t>(i + 1);
    }
    return table;
}

constexpr std::array<uint8_t, kSlots> kTable = make_table();

}  // namespace

uint8_t call_by_name(std::string_view name)
{
    for (size_t at = hash(name) % kSlots; kTable[at]; at = (at + 1) % kSlots) {
        const NamedCall& call = kCalls[kTable[at] - 1];
        if (call.name == name)
            return call.call;
    }
    return CALL_NONE;
}

bool takes_input(uint8_t call)
{
    return call == CALL_READ || call == CALL_READV || call == CALL_RECVFROM || call == CALL_RECVMSG ||
           call == CALL_RECVMMSG;
}

bool gives_output(uint8_t call)
{
    return call == CALL_WRITE || call == CALL_WRITEV || call == CALL_SENDTO || call == CALL_SENDMSG ||
           call == CALL_SENDMMSG;
}

std::vector<std::string_view> calls_worth_tracing()
{
    std::vector<std::string_view> names{"nanosleep", "clock_nanosleep", "poll",      "ppoll", "select", "pselect6",
                                        "flock",     "fsync",           "fdatasync", "wait4", "waitid", "brk"};
    for (const NamedCall& one : kCalls)
        if (one.call != CALL_NONE && one.call != LOG_EVERYDAY)
            names.push_back(one.name);
    return names;
}

bool of_socket(uint8_t call)
{
    return call == CALL_RECVFROM || call == CALL_RECVMSG || call == CALL_RECVMMSG || call == CALL_SENDTO ||
           call == CALL_SENDMSG || call == CALL_SENDMMSG;
}

bool is_of_network(uint8_t call)
{
    return of_socket(call) || call == CALL_ACCEPT || call == CALL_CONNECT || call == CALL_SHUTDOWN ||
           call == CALL_GETSOCKOPT || call == LOG_SOCKET || call == LOG_SOCKETPAIR || call == LOG_BIND ||
           call == LOG_LISTEN;
}

bool opens_descriptor(uint8_t call)
{
    return call == CALL_EPOLL_CREATE || call == CALL_ACCEPT || call == LOG_SOCKET || call == LOG_EVENTFD ||
           call == LOG_TIMERFD || call == LOG_SIGNALFD || call == LOG_OPEN || call == LOG_OTHER_FD;
}

}  // namespace epaudit
