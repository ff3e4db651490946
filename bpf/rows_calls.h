/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What rows say of calls: which came between two deliveries, and which are to leave their user stack. */
#pragma once

/* What happened to a file since its last delivery: the sub-shape of a spin. */
enum between_bit {
    BETWEEN_READ = 0x001, /* something was consumed */
    BETWEEN_READ_EAGAIN = 0x002,
    BETWEEN_READ_EOF = 0x004,
    BETWEEN_READ_ERROR = 0x008,
    BETWEEN_WRITE = 0x010,
    BETWEEN_WRITE_EAGAIN = 0x020,
    BETWEEN_ACCEPT_ERROR = 0x040, /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
    BETWEEN_MOD = 0x080,
    BETWEEN_PEEK = 0x100,
    BETWEEN_DEL_FAILED = 0x200,
    BETWEEN_MOD_SAME = 0x400,     /* epoll_ctl(MOD) to the mask that it had */
    BETWEEN_URING = 0x800,        /* io_uring_enter by the waiting thread */
    BETWEEN_WRITE_ERROR = 0x1000, /* any error but EAGAIN */
    BETWEEN_OTHER_ERROR = 0x2000, /* connect, shutdown or accept that failed, other than the above */
    BETWEEN_IN_VAIN = 0x4000, /* a call that succeeded and changed nothing: shutdown of what is shut, no bytes sent */
};
/* No call, but counted with them: at this return the end of the stream was all that was left to read. */
#define RETURN_AT_END 0x8000U
#define BETWEEN_KINDS 16

/* Which call a user stack shows. */
enum stack_role {
    STACK_READ = 1, /* any call that consumes, or tries to */
    STACK_WRITE = 2,
    STACK_ACCEPT = 4,
    STACK_WAIT = 8,     /* epoll_wait */
    STACK_ARMED = 16,   /* epoll_ctl(ADD, MOD) */
    STACK_REFUSED = 32, /* epoll_ctl that failed; by file */
    STACK_BLOCKED = 64, /* the call in which the thread slept, away from its epoll; this one and those below by epoll */
    STACK_CREATED = 128, /* epoll_create without close-on-exec */
    STACK_CHANGED = 256, /* epoll_ctl on another process's registration */
    STACK_STALE = 512,   /* a call on an fd that was closed in the same batch */
    STACK_LEFT = 1024,   /* with one of the first: by place, not by file (registration_row.left_site) */
    STACK_FILE = STACK_READ | STACK_WRITE | STACK_ACCEPT, /* those asked for by file */
};
