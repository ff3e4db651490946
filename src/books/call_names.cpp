// SPDX-License-Identifier: Apache-2.0
#include "src/books/call_names.h"

#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iterator>

namespace epaudit {
namespace {

struct CallName {
    long number;
    const char* name;
};

#define NAMED(call)       \
    {                     \
        SYS_##call, #call \
    }

// Calls an architecture does not have (arm64: no open, poll, fork, ...) are absent from its headers.
constexpr CallName kNames[] = {
#ifdef SYS_open
    NAMED(open),
    NAMED(poll),
    NAMED(select),
    NAMED(fork),
    NAMED(vfork),
    NAMED(stat),
    NAMED(lstat),
    NAMED(rename),
    NAMED(unlink),
    NAMED(mkdir),
    NAMED(rmdir),
    NAMED(access),
    NAMED(pause),
    NAMED(epoll_wait),
    NAMED(getdents),
#endif
    NAMED(openat),
    NAMED(close),
    NAMED(read),
    NAMED(readv),
    NAMED(pread64),
    NAMED(preadv),
    NAMED(preadv2),
    NAMED(write),
    NAMED(writev),
    NAMED(pwrite64),
    NAMED(pwritev),
    NAMED(pwritev2),
    NAMED(recvfrom),
    NAMED(recvmsg),
    NAMED(recvmmsg),
    NAMED(sendto),
    NAMED(sendmsg),
    NAMED(sendmmsg),
    NAMED(sendfile),
    NAMED(splice),
    NAMED(connect),
    NAMED(accept),
    NAMED(accept4),
    NAMED(nanosleep),
    NAMED(clock_nanosleep),
    NAMED(futex),
    NAMED(fsync),
    NAMED(fdatasync),
    NAMED(sync),
    NAMED(syncfs),
    NAMED(sync_file_range),
    NAMED(msync),
    NAMED(flock),
    NAMED(fcntl),
    NAMED(ioctl),
    NAMED(ppoll),
    NAMED(pselect6),
    NAMED(epoll_pwait),
    NAMED(epoll_pwait2),
    NAMED(wait4),
    NAMED(waitid),
    NAMED(clone),
    NAMED(clone3),
    NAMED(execve),
    NAMED(renameat),
    NAMED(renameat2),
    NAMED(unlinkat),
    NAMED(mkdirat),
    NAMED(newfstatat),
    NAMED(statx),
    NAMED(faccessat),
    NAMED(faccessat2),
    NAMED(getdents64),
    NAMED(ftruncate),
    NAMED(truncate),
    NAMED(fallocate),
    NAMED(mmap),
    NAMED(munmap),
    NAMED(mprotect),
    NAMED(madvise),
    NAMED(io_uring_enter),
    NAMED(io_getevents),
    NAMED(semop),
    NAMED(semtimedop),
    NAMED(msgrcv),
    NAMED(msgsnd),
    NAMED(mq_timedreceive),
    NAMED(mq_timedsend),
    NAMED(rt_sigtimedwait),
    NAMED(rt_sigsuspend),
    NAMED(getrandom),
    NAMED(membarrier),
    NAMED(copy_file_range),
};

#undef NAMED

}  // namespace

std::string system_call_name(int number)
{
    if (number < 0)
        return "no system call (a page fault)";
    auto at = std::find_if(std::begin(kNames), std::end(kNames),
                           [number](const CallName& c) { return c.number == number; });
    return at == std::end(kNames) ? fmt::format("system call {}", number) : at->name;
}

int system_call_number(std::string_view name)
{
    auto at = std::find_if(std::begin(kNames), std::end(kNames), [name](const CallName& c) { return name == c.name; });
    return at == std::end(kNames) ? -1 : static_cast<int>(at->number);
}

}  // namespace epaudit
