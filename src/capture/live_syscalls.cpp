// SPDX-License-Identifier: Apache-2.0
// Which system calls matter, by the numbers of the architecture we are built for.
#include <sys/syscall.h>

#include "src/capture/live_impl.h"

namespace epaudit {
namespace {

struct CallEntry {
    long number;
    call_class kind;
};

// Calls an architecture does not have (arm64: no epoll_wait, dup2, ...) are absent from its headers.
constexpr CallEntry kCalls[] = {
#ifdef SYS_epoll_create
    {SYS_epoll_create, CALL_EPOLL_CREATE},
#endif
    {SYS_epoll_create1, CALL_EPOLL_CREATE},
    {SYS_epoll_ctl, CALL_EPOLL_CTL},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, CALL_EPOLL_WAIT},
#endif
    {SYS_epoll_pwait, CALL_EPOLL_WAIT},
    {SYS_epoll_pwait2, CALL_EPOLL_PWAIT2},
    {SYS_read, CALL_READ},
    {SYS_pread64, CALL_READ},
    {SYS_readv, CALL_READV},
    {SYS_preadv, CALL_READV},
    {SYS_preadv2, CALL_READV},
    {SYS_recvfrom, CALL_RECVFROM},
    {SYS_recvmsg, CALL_RECVMSG},
    {SYS_recvmmsg, CALL_RECVMMSG},
    {SYS_mq_timedreceive, CALL_READ},  // the same first three arguments
    {SYS_write, CALL_WRITE},
    {SYS_pwrite64, CALL_WRITE},
    {SYS_writev, CALL_WRITEV},
    {SYS_pwritev, CALL_WRITEV},
    {SYS_pwritev2, CALL_WRITEV},
    {SYS_sendto, CALL_SENDTO},
    {SYS_sendmsg, CALL_SENDMSG},
    {SYS_sendmmsg, CALL_SENDMMSG},
    {SYS_splice, CALL_SPLICE},
    {SYS_tee, CALL_TEE},
    {SYS_sendfile, CALL_SENDFILE},
    {SYS_accept, CALL_ACCEPT},
    {SYS_accept4, CALL_ACCEPT},
    {SYS_connect, CALL_CONNECT},
    {SYS_shutdown, CALL_SHUTDOWN},
    {SYS_close, CALL_CLOSE},
    {SYS_close_range, CALL_CLOSE_RANGE},
    {SYS_dup, CALL_DUP},
#ifdef SYS_dup2
    {SYS_dup2, CALL_DUP2},
#endif
    {SYS_dup3, CALL_DUP3},
    {SYS_fcntl, CALL_FCNTL},
    {SYS_timerfd_settime, CALL_SETTIME},
    {SYS_getsockopt, CALL_GETSOCKOPT},
    {SYS_ioctl, CALL_IOCTL},
    {SYS_futex, CALL_FUTEX},
    {SYS_io_uring_enter, CALL_IO_URING},
};

}  // namespace

void fill_call_classes(unsigned char (&table)[CALL_TABLE])
{
    for (const CallEntry& call : kCalls)
        if (call.number >= 0 && call.number < CALL_TABLE)
            table[call.number] = static_cast<unsigned char>(call.kind);
}

}  // namespace epaudit
