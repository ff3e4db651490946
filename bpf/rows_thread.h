/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The rows of a thread and of a process. */
#pragma once

#include "types.h"

#define STALE_FDS 4

/*
 * By thread id; made when it first waits or touches a registered file, gone when the thread ends.
 * Written by the ledger, mostly in the thread's own calls, and by wake-ups (woken_*), which happen in another's; by the sweep:
 * `stopped` and stopped_at. Read by the ledger, the sweep and, through the books, the rules.
 * Always: wait_at is not earlier than return_at while `waiting`; stale_fds are of the batch of stale_pass alone.
 */
struct thread_row {
    u64 epoll;       /* that it waits on, or waited on last */
    u64 wait_at;     /* entered epoll_wait */
    u64 return_at;   /* came back */
    u64 woken_file;  /* wake-up of this wait not yet accounted for */
    u64 woken_cpu;   /* CPU time when it was woken */
    u64 trying_file; /* herd: woken and delivered through this file, result still open */
    u64 waste_file;  /* herd: CPU until the next wake-up goes to this file's account */
    u64 wrote_at;    /* last write to any socket, pipe or eventfd */
    u64 wrote_file;
    u64 handoff_at; /* last futex wake-up of somebody else */
    u32 tgid;
    s32 timeout_ms;
    u32 returns;
    u8 waiting;
    u8 trying_sole; /* trying_file was the only event of that return */
    u8 seeded;      /* it waited before we attached: that return may go unseen */
    u8 nap_wanted;  /* when nap_call returns it leaves its user stack (naps.h) */

    u64 call_file; /* POSTING_ENTER: it is in a call on this file since call_at; 0: in none */
    u64 call_at;
    u64 duplicate_file; /* told of it at the same time as another thread, result still open */
    u64 uring_at;       /* newest io_uring_enter */
    u64 zero_at;        /* newest epoll_wait with timeout 0 that found nothing, */
    u64 zero_cpu;       /* and the thread's CPU time then */
    u32 zeros;          /* how many of them */
    u32 zero_run;       /* in a row now */
    u32 zero_bursts;    /* rows of LEDGER_BURST and more that ended in a wait with a timeout */
    u32 call_switches;  /* of POSTING_ENTER */
    u64 zero_since; /* first wait of the present row of waits with timeout 0, events or not; 0: it waits with another */
    u64 timed_ns;   /* spent in waits with another timeout, without long waits for a CPU, */
    u32 timed_waits; /* which were so many */
    s32 accepted;    /* 1 + the descriptor that its newest accept() since it came back made; 0: none */
    /* EP404: what it does between a return and its next wait, counted from its last wake-up in epoll_wait or,
     * where it does not sleep, from at most LEDGER_BASE_NS before the return */
    u64 base_at;
    u64 base_cpu;
    u64 base_delay; /* time it had waited for a CPU */
    u64 naps_ns;    /* asleep in system calls */
    u64 nap_ns;     /* longest of these sleeps */
    s32 nap_call;   /* in this call */
    u32 batch;      /* events of the last return */
    /* EP504: fds of the present batch that were closed or removed before their event was acted on */
    u64 stale_pass; /* return_at of that batch */
    u64 stale_closed_at;
    s32 stale_fds[STALE_FDS];
    u32 stale_next;
    u8 stopped; /* the sweep found it stopped, traced or frozen */
    u8 stale_pad[3];
    u64 nap_until;  /* EP404: end of the sleep of nap_ns */
    u64 stopped_ns; /* since base_at: stopped, not asleep */
    u64 stopped_at; /* newest moment at which it was known to be stopped; 0: never */
    u64 task;       /* struct task_struct *, by which the sweep asks; 0: not seen yet */
    u64 outer; /* EP404: the epoll that it waited on before it waited on this one, without leaving its turn; 0: none */
};

/* Not a row: what one return of epoll_wait has brought so far. */
struct ledger_batch {
    u32 useful;     /* at least one event had made progress since its last delivery, or may have */
    u32 idle;       /* at least one had not */
    u64 woken_file; /* the thread was woken through this file, 0: not known */
};

#define LEAKED_EPOLLS 4

/*
 * By process id; there is one for each process that is watched, and no probe looks at any other.
 * Written by user space, which begins and ends the watching, by fork and exec (process.bpf.c) and, for leaked_*, by heir.h.
 * Read by every probe.
 */
struct process_row {
    u64 seen_at;
    u64 leaked[LEAKED_EPOLLS]; /* EP603: epolls that came with an exec and were not let go yet; 0: none */
    u64 leaked_task;           /* struct task_struct * of the process */
    s32 leaked_fd[LEAKED_EPOLLS];
    u32 parent;
    u32 flags; /* enum process_flag */
};

enum process_flag {
    PROCESS_FOLLOW = 1,  /* children are watched too */
    PROCESS_32BIT = 2,   /* its calls are not looked at (abi.h) */
    PROCESS_NEW = 4,     /* nor are these yet: that the number is still its own is to be seen (LiveCapture::watch()) */
    PROCESS_NOTICED = 8, /* it has no epoll, and few of its calls are looked at (noticed.h) */
    PROCESS_SHARES = 16, /* its table of descriptors is its parent's (CLONE_FILES) */
};
#define PROCESS_UNSEEN (PROCESS_32BIT | PROCESS_NEW)

#ifdef __cplusplus
static_assert(sizeof(struct thread_row) ==
              10 * 8 + 16 + 6 * 8 + 4 * 4 + 3 * 8 + 5 * 8 + 8 + 2 * 8 + STALE_FDS * 4 + 8 + 5 * 8);
#endif
