/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The vocabulary. A posting is one thing that happened to an open file, a registration, an epoll
 * instance or a thread. Kernel hooks, recordings and strace logs all speak it; ledger.h alone says
 * what a posting does to the books.
 *
 * Values of the enums are part of the recording format: never renumber, never reuse.
 */
#pragma once

#include "types.h"

enum posting_kind {
    POSTING_NONE = 0,
    POSTING_ADD = 1,          /* epoll_ctl(ADD): mask, data, result; amount = sk_state of a TCP socket */
    POSTING_MOD = 2,          /* epoll_ctl(MOD): mask, data, result */
    POSTING_DEL = 3,          /* epoll_ctl(DEL): result */
    POSTING_WAIT = 4,         /* a thread enters epoll_wait: amount = timeout in ms, -1 for ever */
    POSTING_RETURN = 5,       /* it came back: result = number of events or -errno */
    POSTING_DELIVERED = 6,    /* one event of that return: mask = reported bits, data */
    POSTING_READ = 7,         /* any call that consumes: amount asked (0: unknown), result */
    POSTING_WRITE = 8,        /* any call that produces: amount asked (0: unknown), result */
    POSTING_ACCEPT = 9,       /* result = new fd or -errno */
    POSTING_CONNECT = 10,     /* result */
    POSTING_SHUTDOWN = 11,    /* amount = how */
    POSTING_CLOSE = 12,       /* an fd number is about to be closed; flag LAST: the file dies with it */
    POSTING_DUP = 13,         /* result = the new fd */
    POSTING_SETTIME = 14,     /* timerfd_settime: clears the ticks without a read */
    POSTING_SO_ERROR = 15,    /* getsockopt(SO_ERROR): clears sk_err */
    POSTING_PEEK = 16,        /* MSG_PEEK or FIONREAD: the program looked, nothing was consumed; result */
    POSTING_READY = 17,       /* the file called ep_poll_callback, or was about to */
    POSTING_WOKEN = 18,       /* a thread asleep in epoll_wait is woken through this file */
    POSTING_PEER_CLOSED = 19, /* TCP entered CLOSE_WAIT */
    POSTING_HANDOFF = 20,     /* futex wake-up of another thread */
    POSTING_ERRQUEUE = 21,    /* recvmsg(MSG_ERRQUEUE) */
    POSTING_CREATE = 22,      /* epoll_create: result = epfd */
    POSTING_SEEDED = 23,      /* existed before we attached; a registration: amount as ADD */
    POSTING_FCNTL = 24,       /* F_SETFL: amount = the new flags */
    POSTING_FORK = 25,        /* result = the child */
    POSTING_EXEC = 26,        /* epoll, epfd: an epoll that the new program image still holds, or has let go */
    POSTING_EXIT = 27,
    POSTING_ENTER = 28,   /* a call that may sleep begins on an edge-triggered file without O_NONBLOCK:
                                 amount = voluntary context switches of the thread so far */
    POSTING_URING = 29,   /* io_uring_enter: what it did to which file is not seen */
    POSTING_BLOCKED = 30, /* a thread that handles events is woken from a sleep inside a system call:
                                 amount = number of the call (-1: none, a page fault), result = ns asleep, or
                                 ns stopped (POSTING_STOPPED) */
    POSTING_OVERLAP = 31, /* tid and the thread `amount` are inside a read of this file at the same time */
    POSTING_KINDS = 32,   /* fits the 5 bits a flight recorder entry has */
};

/* What lies behind a descriptor, from the file's f_op, never from a name. */
enum file_kind {
    FILE_UNKNOWN = 0, /* not classified: no per-fd verdict, ever */
    FILE_TCP = 1,
    FILE_LISTENER = 2, /* any socket in LISTEN state */
    FILE_UDP = 3,
    FILE_UNIX = 4,
    FILE_PIPE = 5,
    FILE_EVENTFD = 6,
    FILE_TIMERFD = 7,
    FILE_SIGNALFD = 8,
    FILE_EPOLL = 9,
    FILE_OTHER = 10, /* known not to be one of these (io_uring, perf event, device) */
    /* As much as a log of system calls may tell; the kernel's own answer is never one of these. */
    FILE_SOCKET = 11, /* a socket of some kind */
    FILE_BYTES = 12,  /* it was read or written by read() and write() */
    /* We ask the kernel for no number that would tell progress on these, but nothing consumes them unseen either: only
     * read() or recv() take what inotify, a terminal and netlink hold, and what a pidfd says stays true for good. */
    FILE_INOTIFY = 13,
    FILE_PIDFD = 14,
    FILE_TTY = 15, /* terminals, pseudo terminals and their masters */
    FILE_NETLINK = 16,
    FILE_KINDS = 17,
};

enum posting_flag {
    POSTING_NONBLOCK = 1, /* the file has O_NONBLOCK, or the call asked for it */
    POSTING_LAST = 2,     /* CLOSE, MOD, DEL: nobody but the caller holds the file */
    POSTING_MESSAGE =
        2, /* READ, WRITE with result 0: of an empty message, which is not the end of a stream, nor nothing */
    POSTING_STATE = 4, /* `state` was read from the kernel; without it nothing in it may be used */
    POSTING_SOLE = 8,  /* DELIVERED: the only event of its return; WOKEN: no other waiter was to be woken by it */
    POSTING_KIN =
        8, /* MOD, DEL, RETURN: the process that registered the file, or made the epoll, is another one with the
                               same table of descriptors (CLONE_FILES) */
    POSTING_SLEPT = 16,     /* READ, WRITE, ACCEPT after an ENTER: the thread gave up the CPU of its own accord */
    POSTING_FULL = 16,      /* SEEDED: a stream that has no room for output */
    POSTING_STRANGER = 32,  /* DELIVERED: to a process in which the number does not lead to the file */
    POSTING_STOPPED = 32,   /* BLOCKED: it was not asleep in a call but kept from running: stopped, traced, frozen, or
                             held back by the kernel on its way out of one */
    POSTING_LET_GO = 2,     /* EXEC: the new program image has closed it again */
    POSTING_BLIND = 64,     /* DELIVERED without state: what answers it may not be among the postings */
    POSTING_UNREACHED = 64, /* MOD, DEL that failed: data = file of a ready registration that the epoll has under this
                               number all the same */
    POSTING_KEPT = 128,     /* DELIVERED without readiness (logs): it came while the thread slept in another call, and
                             the wait that took it did not have to wait */
    POSTING_REFIRED = 128,  /* ADD, MOD with EPOLLONESHOT: it has fired again before the call was seen to end */
};

enum state_flag {
    STATE_RCV_SHUTDOWN = 1, /* the peer closed its sending half (or we shut ours for reading) */
    STATE_SEND_SHUTDOWN = 2,
    STATE_WRITABLE = 4,    /* POLLOUT is true (sk_stream_is_writeable for sockets) */
    STATE_STREAM = 8,      /* SOCK_STREAM */
    STATE_EOF_UNREAD = 16, /* the FIN has arrived and no read has returned 0 for it yet */
    STATE_PEER_SELF = 32,  /* unix: both ends were made by one process (socketpair); only the sweep asks */
};

/*
 * Kernel state of a file at the moment of a posting.
 * `io` and `aux` are the parts of the progress token that the kernel itself keeps:
 *   tcp       io = copied_seq << 32 | write_seq      aux = length of the error queue << 16 | sk_err
 *   udp, unix io = address of the first queued skb    aux = as tcp
 *   pipe      io = head << 32 | tail
 *   eventfd   io = count        timerfd  io = ticks
 */
struct file_state {
    u64 io;
    u64 aux;
    u32 unread;  /* bytes (tcp, newer unix), datagrams or buffers (udp, unix, pipe), 1 if count/ticks > 0 */
    u32 backlog; /* listener: connections waiting to be accepted (sk_ack_backlog) */
    u32 unsent;  /* bytes queued for sending (sk_wmem_queued) */
    u8 sk_state; /* TCP_ESTABLISHED = 1, TCP_CLOSE_WAIT = 8, TCP_LISTEN = 10, ... */
    u8 flags;    /* enum state_flag */
    u16 pad;
};

/* What most postings lack comes last: a recording leaves out `ino` and what follows it, or `state` as well. */
struct posting {
    u8 kind;      /* enum posting_kind */
    u8 file_kind; /* enum file_kind */
    u8 flags;     /* enum posting_flag */
    u8 record;    /* enum record_type (recorded.h); 0 outside of recordings */
    u32 mask;     /* EPOLL bits; WRITE: marks of its bytes (marks_of()) */
    u64 time;     /* CLOCK_MONOTONIC, ns */
    u64 file;     /* struct file *, or a number the importer made up: only its identity counts */
    u64 epoll;    /* struct eventpoll * */
    u64 data;     /* epoll_event.data; RETURN: items on the ready list afterwards, 0 where nobody looked;
                  WRITE: address of the bytes, 0: not known */
    s64 amount;
    s64 result; /* of the call; -errno when it failed */
    s32 fd;
    s32 epfd;
    u32 tgid;
    u32 tid;
    struct file_state state;
    u64 ino;   /* inode number, tells a recycled struct file * apart (sockets and pipes never repeat it) */
    u64 cpu;   /* CPU time of the thread so far, ns; 0 where it was not looked at */
    u64 delay; /* and time it spent waiting for a CPU: WAIT, RETURN, WOKEN, BLOCKED */
};

#ifdef __cplusplus
static_assert(sizeof(struct file_state) == 32);
static_assert(sizeof(struct posting) == 128);
#endif

/*
 * Marks of bytes: 16 bits made of eight of them, never 0. Two that differ stand for other bytes; two that are the same
 * most likely do not. A WRITE has two, each 0 where it is not known: of what it begins with, and of what it left unsent.
 */
#define MARKED_BYTES 8
static __always_inline u32 mark_of(u64 bytes)
{
    u32 mark = (u32)((bytes * 0x9e3779b97f4a7c15ULL) >> 48);
    return mark ? mark : 1;
}

static __always_inline u32 marks_of(u32 head, u32 rest) { return head | rest << 16; }

static __always_inline u16 head_mark(const struct posting* p) { return (u16)p->mask; }

static __always_inline u16 rest_mark(const struct posting* p) { return (u16)(p->mask >> 16); }

/* sk_state, as far as it is asked for: include/net/tcp_states.h, which programs cannot include. */
#define SK_ESTABLISHED 1
#define SK_SYN_SENT 2
#define SK_CLOSE 7 /* of a connection: reset, or ended on both sides; of other sockets: not connected */
#define SK_CLOSE_WAIT 8

/* The epoll bits, named here because BPF code cannot include <sys/epoll.h>. */
enum epoll_bit {
    EV_IN = 0x001,
    EV_PRI = 0x002,
    EV_OUT = 0x004,
    EV_ERR = 0x008,
    EV_HUP = 0x010,
    EV_RDNORM = 0x040,
    EV_RDHUP = 0x2000,
};
#define EV_EXCLUSIVE (1U << 28)
#define EV_WAKEUP (1U << 29)
#define EV_ONESHOT (1U << 30)
#define EV_ET (1U << 31)
/* What remains of the mask of a ONESHOT registration after it fired (EP_PRIVATE_BITS). */
#define EV_PRIVATE (EV_ET | EV_ONESHOT | EV_WAKEUP | EV_EXCLUSIVE)

#define ERRNO_EAGAIN 11
#define ERRNO_EALREADY 114
#define ERRNO_EINVAL 22
#define ERRNO_EINTR 4
#define ERRNO_ENOENT 2
#define ERRNO_EBADF 9
#define ERRNO_ENOTSOCK 88
#define ERRNO_EOPNOTSUPP 95
#define ERRNO_ECONNABORTED 103
#define ERRNO_EINPROGRESS 115
/* ERESTARTSYS and friends: the call did not happen, it will be made again. */
#define ERRNO_RESTART_FIRST 512
#define ERRNO_RESTART_LAST 516

/* Errors that only ever come from outside, by way of sk_err, when they are told to a reader. */
static __always_inline bool ledger_came_from_outside(s64 result)
{
    /* ENETDOWN, ENETUNREACH, ENETRESET, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH */
    return (result <= -100 && result >= -102) || result == -104 || (result <= -110 && result >= -113);
}
