/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The row of an epoll instance. */
#pragma once

#include "types.h"

/* Events whose data no registration in the books has, until it is clear whether they are lost (ledger_unknown.h). */
#define UNKNOWN_EVENTS 4
struct unknown_event {
    u64 data;
    u64 at;    /* the first of them */
    u32 count; /* 0: this place is free */
    u32 quiet; /* nothing had been taken off the epoll for long: there is no excuse but an ADD under way */
};

#define EPOLL_BUCKETS 24

enum epoll_flag {
    EPOLL_STREAM = 1, /* it held a connection, or a socket for datagrams, at some time: not listeners alone */
};

/*
 * By the address of its struct eventpoll; made by epoll_create, or at the first call or seed that shows it.
 * Written by the ledger: waits (ledger_wait.h) and deliveries (ledger_deliver.h), gaps (ledger_stall.h, blocked.h, naps.h), other processes
 * (ledger_sharing.h), calls on closed numbers (ledger_stale.h), events of nobody (ledger_unknown.h). Read by the ledger, the
 * sweep and the rules; reports take the histograms from it.
 * Always: futile_returns is a part of returns, each of ready_crowded, stalls_asleep and ticks a part of what stands before it.
 */
struct epoll_row {
    u64 file; /* its struct file *, by which the sweep learns of its death; 0: not known */
    u64 created_at;
    u64 last_return_at;
    u64 last_fired_at; /* newest delivery of a ONESHOT registration */
    u64 waits;
    u64 returns; /* with at least one event */
    u64 events;
    u64 futile_returns;
    u64 timeouts;
    u64 interrupts;
    u64 zero_timeouts; /* timeout 0 and nothing there */
    u64 full_batches;
    u64 unattributed; /* events whose data names no single registration, and whose they are is not known */
    u64 eventless_at;
    u32 eventless_io; /* over all its edge-triggered files */
    u32 eventless_writes;
    u32 rescues;
    u32 registrations;
    u32 fired; /* ONESHOT deliveries */
    u32 rearms;
    u32 rearms_fast;    /* within 1 s of the delivery */
    u32 unarmed_closes; /* fired, never touched again for >= 1 s, then closed */
    u32 ctl_errors;
    u32 tgid;
    s32 fd;
    u32 max_events;              /* largest batch returned */
    u32 batch[EPOLL_BUCKETS];    /* log2 of events per return */
    u32 latency[EPOLL_BUCKETS];  /* log2 of µs from readiness to delivery */
    u32 handling[EPOLL_BUCKETS]; /* log2 of µs from a return to that thread's next wait */

    u64 ghost_file;    /* newest file whose registered number was closed while it lived on */
    s32 ghost_fd;      /* and that number */
    u32 max_asked;     /* maxevents of the last return */
    u32 ready_looks;   /* full batches of at most LEDGER_SMALL_BATCH after which the ready list was counted */
    u32 ready_crowded; /* of these: LEDGER_CROWD times maxevents and more were ready */
    /* EP404: nobody polled it for LEDGER_STALL_NS or more. `away`: the newest such gap. `stall`: the longest
     * of those that kept at least two ready sockets waiting. */
    u64 polled_at; /* newest return of any thread from a wait on it */
    u64 away_from;
    u64 away_until;  /* 0: none yet */
    u64 away_ns;     /* without the time in which its thread waited for a CPU or was stopped */
    u64 away_nap_ns; /* longest sleep of its thread inside one system call */
    u64 away_cpu_ns;
    u64 stall_from;
    u64 stall_until;
    u64 stall_ns;
    u64 stall_nap_ns;
    u64 stall_cpu_ns;
    u64 stalled_ns; /* all of them together */
    s32 away_call;  /* number of that system call; -1: none; AWAY_IN_ANOTHER_LOOP */
    u32 away_tid;
    u32 away_batch; /* events it had been handed */
    u32 away_kept;  /* ready sockets that waited through it */
    s32 stall_call;
    u32 stall_tid;
    u32 stall_batch;
    u32 stall_kept;
    u32 stalls;
    u32 stalls_asleep; /* of these: in a system call most of the time */
    /* EP503: another process than the one that created it, or that added the registration */
    u32 foreign_returns; /* with events, in a process that did not create it */
    u32 foreign_ctls;    /* successful changes of a registration that another process made and still holds */
    u32 strangers;       /* events delivered to a process in which the number does not lead to the file */
    u32 foreign_tgid;    /* of the newest: who, */
    u32 foreign_owner;   /* whose registration, */
    s32 foreign_fd;
    u64 foreign_file;
    u64 foreign_at;
    u32 foreign_result; /* events, for a stranger; 0 for a ctl */
    u8 foreign_kind;    /* POSTING_MOD, POSTING_DEL or POSTING_DELIVERED */
    u8 foreign_file_kind;
    u8 stale_kind; /* EP504: POSTING_READ, POSTING_WRITE or POSTING_ACCEPT */
    u8 stale_pad;
    /* EP504: calls on a number whose file was closed in the same pass, with its event not yet acted on */
    u64 stale_told_at;
    u64 stale_closed_at;
    u64 stale_at;
    u32 stale_ios;
    u32 stale_tid;
    s32 stale_fd;
    u32 stale_errno;
    /* EP603: a new program image holds it */
    u64 leaked_at;
    u32 leaks;
    u32 leaked_tgid;
    s32 leaked_fd;
    /* EP605 */
    s32 tick_ms;        /* timeout of the newest wait that timed out within LEDGER_TICK_MS */
    u32 short_timeouts; /* how many did */
    u32 ticks;          /* of these: with the same timeout as the one before */

    u32 stacks_wanted; /* as in file_row: STACK_WAIT */
    u32 stacks_taken;

    /* EP106: a MOD brought input back into a mask that lacked it, */
    u32 resumes;
    u32 resumes_fast; /* within 1 s of the MOD or ADD before */
    /* EP403: files closed after a MOD that EPOLLEXCLUSIVE forbids, with nothing else done about it */
    u32 exclusive_drops;
    u32 exclusive_mask; /* what the newest of them asked for */
    /* EP404, more of the newest gap, */
    u64 away_turn;      /* the return with which it began: its batch was delivered at this time */
    u64 away_nap_until; /* end of the longest sleep */
    u64 away_delay_ns;  /* its thread waited for a CPU for most of it, so long; 0: it did not */
    /* and of gaps in which a ready socket waited for a CPU, not for the program: the longest */
    u64 starve_until;
    u64 starve_ns;
    u32 starve_tid;
    u32 starve_kept;
    u32 starves;         /* how many */
    u32 clients;         /* registrations of connections, listeners and datagram sockets */
    u64 polled_other_at; /* newest return in another thread than the one before; 0: one thread alone polls it */
    u32 polled_tid;
    u8 flags;        /* enum epoll_flag */
    u8 away_counted; /* the newest gap is among the stalls */
    u8 pad[2];
    u64 removed_at; /* newest removal of a registration, or change of its data */
    struct unknown_event unknown[UNKNOWN_EVENTS];
    /* EP105: connections whose output was stuck for want of room: */
    u32 given_up;        /* closed there and then, by the thread whose write had failed, while the peer was there, */
    u32 gone_on;         /* writes that went on once there was room again */
    u64 polled_timed_ns; /* EP404: thread_row.timed_ns of polled_tid at polled_at */
};

/* What kept its thread away were waits on another epoll: a loop that is run within a handler. */
#define AWAY_IN_ANOTHER_LOOP (-2)

#ifdef __cplusplus
static_assert(sizeof(struct epoll_row) == 14 * 8 + 12 * 4 + 3 * 4 * EPOLL_BUCKETS + 8 + 4 * 4 + 12 * 8 + 16 * 4 +
                                              2 * 8 + 8 + 5 * 8 + 3 * 8 + 8 + 8 + 16 + 9 * 8 + 8 + UNKNOWN_EVENTS * 24 +
                                              8 + 8);
#endif
