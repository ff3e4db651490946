/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * System calls into postings: what each call that matters means, whichever hook set saw it.
 *
 * What no hook set here can see: what io_uring reads, writes and accepts (progress made by that is still read from kernel
 * state; what it closes and registers is seen, hooks_ring.h), and a descriptor that another thread closed while the call
 * slept; the file then found under the number is not the one the call used.
 */
#pragma once

#include "calls_ctl.h"
#include "calls_wait.h"
#include "calls_io.h"
#include "calls_close.h"

static __always_inline void post_receive(struct call* c, u64 flags)
{
    u32 fd = (u32)c->argument[0];
    if (flags & MSG_ERRQUEUE_BIT)
        post_peek(c, POSTING_ERRQUEUE, fd);
    else if (flags & MSG_PEEK_BIT)
        post_peek(c, POSTING_PEEK, fd);
    else {
        c->posting.flags |=
            POSTING_MESSAGE; /* unlike read() of no bytes, recv() of none takes a datagram; see empty_message() */
        post_read(c, fd);
    }
}

/* Of a call that returned 0: did its vector ask for anything? What cannot be read, or is long, did. */
#define VECTOR_PARTS 8
static __noinline s64 vector_asks(u64 vector, u64 parts)
{
    u64 part[2];
    for (u32 i = 0; i < VECTOR_PARTS; i++) {
        if (i >= parts)
            return 0;
        if (bpf_probe_read_user(part, sizeof(part), (void*)(vector + i * sizeof(part))) || part[1])
            return -1;
    }
    return parts > VECTOR_PARTS ? -1 : 0;
}

static __noinline s64 message_asks(u64 header)
{
    u64 vector[2]; /* msg_iov, msg_iovlen */
    if (bpf_probe_read_user(vector, sizeof(vector), (void*)(header + 16)))
        return -1;
    return vector_asks(vector[0], vector[1]);
}

#define FIONREAD 0x541B
#define FIONBIO 0x5421
#define SOL_SOCKET 1
#define SO_ERROR 4
#define FUTEX_CMD_MASK 127
#define FUTEX_WAKE 1
#define FUTEX_WAKE_OP 5
#define FUTEX_WAKE_BITSET 10

static __always_inline void post_ioctl(struct call* c)
{
    u32 request = (u32)c->argument[1];
    if (request == FIONBIO) {
        post_other(c, CALL_FCNTL);
    } else if (request == FIONREAD && !c->posting.result) {
        s32 bytes = 0;
        if (!bpf_probe_read_user(&bytes, sizeof(bytes), (void*)c->argument[2]))
            c->posting.result = bytes;
        post_peek(c, POSTING_PEEK, (u32)c->argument[0]);
    }
}

static __always_inline void post_getsockopt(struct call* c)
{
    s32 error = 0;
    if (c->argument[1] != SOL_SOCKET || c->argument[2] != SO_ERROR || c->posting.result)
        return;
    if (!bpf_probe_read_user(&error, sizeof(error), (void*)c->argument[3]) && error)
        post_peek(c, POSTING_SO_ERROR, (u32)c->argument[0]);
}

static __always_inline void post_futex(struct call* c)
{
    u32 command = (u32)c->argument[1] & FUTEX_CMD_MASK;
    c->posting.kind = POSTING_HANDOFF;
    if (c->posting.result <= 0 || (command != FUTEX_WAKE && command != FUTEX_WAKE_OP && command != FUTEX_WAKE_BITSET))
        return;
    stamp(c);
    ledger_handoff(NULL, &c->posting);
    record(&c->posting, RECORD_POSTING);
}

static __always_inline void post_io(struct call* c, u8 class)
{
    switch (class) {
    case CALL_READ:
        c->posting.amount = (s64)c->argument[2];
        post_read(c, (u32)c->argument[0]);
        break;
    case CALL_READV: /* -1: some, and a result of 0 means the end */
        c->posting.amount = c->posting.result ? -1 : vector_asks(c->argument[1], c->argument[2]);
        post_read(c, (u32)c->argument[0]);
        break;
    case CALL_RECVFROM:
        c->posting.amount = (s64)c->argument[2];
        post_receive(c, c->argument[3]);
        break;
    case CALL_RECVMSG:
        c->posting.amount = c->posting.result ? -1 : message_asks(c->argument[1]);
        post_receive(c, c->argument[2]);
        break;
    case CALL_RECVMMSG:
        c->posting.amount = c->posting.result ? -1 : 0; /* it counts messages: no room for any */
        post_receive(c, c->argument[3]);
        break;
    case CALL_WRITE:
    case CALL_SENDTO:
        c->posting.amount = (s64)c->argument[2];
        c->posting.data = c->argument[1];
        c->posting.flags |= POSTING_MESSAGE;
        post_write(c, (u32)c->argument[0]);
        break;
    case CALL_SENDMSG:
        c->posting.flags |= POSTING_MESSAGE;
        post_write(c, (u32)c->argument[0]);
        break;
    case CALL_WRITEV:
    case CALL_SENDMMSG: post_write(c, (u32)c->argument[0]); break;
    case CALL_DUP2:
    case CALL_DUP3:
        if (c->posting.result < 0)
            dup_failed(c->which);
        break;
    }
}

/*
 * One call that moves data between two files: both sides are posted, a failure too. An error does not say which of the
 * two was meant, but it is progress of neither, and a loop that spins on one of them is answered by it. EAGAIN would
 * say that one was drained, or full, and EBADF that a number leads nowhere: those are evidence about neither.
 */
static __always_inline void post_transfer(struct call* c, u8 class)
{
    u32 out = class == CALL_SENDFILE ? (u32)c->argument[0]
              : class == CALL_TEE    ? (u32)c->argument[1]
                                     : (u32)c->argument[2];
    u32 in = class == CALL_SENDFILE ? (u32)c->argument[1] : (u32)c->argument[0];
    u64 asked = class == CALL_SENDFILE ? c->argument[3] : class == CALL_TEE ? c->argument[2] : c->argument[4];
    s64 result = c->posting.result;
    if (result == -ERRNO_EAGAIN || result == -ERRNO_EBADF)
        return;
    if (result)
        post_write(c, out);
    if (class == CALL_TEE || (!result && !asked))
        return;
    __builtin_memset(&c->posting.state, 0, sizeof(c->posting.state));
    c->posting.flags = 0;
    c->posting.file = 0;
    c->posting.amount = -1;
    post_read(c, in);
}

static __always_inline u8 kind_of_class(u8 class)
{
    switch (class) {
    case CALL_EPOLL_CREATE: return POSTING_CREATE;
    case CALL_EPOLL_CTL: return POSTING_MOD;
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2: return POSTING_RETURN;
    case CALL_READ:
    case CALL_READV:
    case CALL_RECVFROM:
    case CALL_RECVMSG:
    case CALL_RECVMMSG: return POSTING_READ;
    case CALL_WRITE:
    case CALL_WRITEV:
    case CALL_SENDTO:
    case CALL_SENDMSG:
    case CALL_SENDMMSG:
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: return POSTING_WRITE;
    case CALL_ACCEPT: return POSTING_ACCEPT;
    case CALL_CONNECT: return POSTING_CONNECT;
    case CALL_SHUTDOWN: return POSTING_SHUTDOWN;
    case CALL_CLOSE:
    case CALL_CLOSE_RANGE: return POSTING_CLOSE;
    case CALL_DUP:
    case CALL_DUP2:
    case CALL_DUP3: return POSTING_DUP;
    case CALL_FCNTL: return POSTING_FCNTL;
    case CALL_SETTIME: return POSTING_SETTIME;
    case CALL_GETSOCKOPT: return POSTING_SO_ERROR;
    case CALL_IOCTL: return POSTING_PEEK;
    case CALL_FUTEX: return POSTING_HANDOFF;
    case CALL_IO_URING: return POSTING_URING;
    default: return POSTING_NONE;
    }
}

/* A call has returned: what it means to the books. */
static __always_inline void post_exit(struct call* c, u8 class)
{
    seen(kind_of_class(class));
    switch (class) {
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2: post_return(c); break;
    case CALL_EPOLL_CTL: post_ctl(c); break;
    case CALL_EPOLL_CREATE: post_create(c); break;
    case CALL_ACCEPT: post_accept(c); break;
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: post_transfer(c, class); break;
    case CALL_CONNECT:
    case CALL_SHUTDOWN:
    case CALL_SETTIME:
    case CALL_FCNTL: post_other(c, class); break;
    case CALL_GETSOCKOPT: post_getsockopt(c); break;
    case CALL_IOCTL: post_ioctl(c); break;
    case CALL_FUTEX: post_futex(c); break;
    case CALL_IO_URING:
        stamp(c);
        c->posting.kind = POSTING_URING;
        ledger_uring(NULL, &c->posting);
        record(&c->posting, RECORD_POSTING);
        break;
    default: post_io(c, class);
    }
}
