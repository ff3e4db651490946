/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The books: what a row of each table holds. One text for BPF maps, replay and rules; a test proves
 * the layouts equal against the BTF of the built object.
 *
 * Times are CLOCK_MONOTONIC ns, 0 = never. Rows are shared by CPUs: fields changed with ledger_count()
 * are atomic adds, everything else is last-writer-wins, and rules must tolerate both.
 */
#pragma once

#include "flight.h"
#include "posting.h"

/* What happened to a file since its last delivery: the sub-shape of a spin. */
enum between_bit {
    BETWEEN_READ = 0x001,         /* something was consumed */
    BETWEEN_READ_EAGAIN = 0x002,
    BETWEEN_READ_EOF = 0x004,
    BETWEEN_READ_ERROR = 0x008,
    BETWEEN_WRITE = 0x010,
    BETWEEN_WRITE_EAGAIN = 0x020,
    BETWEEN_ACCEPT_ERROR = 0x040, /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
    BETWEEN_MOD = 0x080,
    BETWEEN_PEEK = 0x100,
    BETWEEN_DEL_FAILED = 0x200,
};

enum file_flag {
    FILE_NONBLOCK = 1,
    FILE_EDGE = 2,         /* its (last) registration is edge-triggered */
    FILE_EDGE_USED = 4,    /* the newest edge was answered by a consume attempt */
    FILE_SAW_EAGAIN = 8,   /* the current pass ended in EAGAIN */
    FILE_SEEDED = 16,      /* existed before we attached: its past is unknown */
    FILE_SHUT_WRITE = 32,  /* the program shut its sending half */
    FILE_CLOSED = 64,      /* a descriptor of it was closed; the sweep decides whether it lives on */
    FILE_PEEKED = 128,     /* looked at unread input without taking it since the last consume (N5) */
    FILE_TOLD_RDHUP = 256, /* EPOLLRDHUP was delivered: the program knows that the peer closed */
};

struct file_row {
    u64 ino;
    u64 last_at;      /* newest entry of `flight` */
    u64 consumed_at;  /* last time something was consumed (bytes, EOF, connection, ticks) */
    u64 attempt_at;   /* last consume attempt, whatever came of it */
    u64 left_at;      /* last consume that left something unread; 0: none left */
    u64 edge_at;      /* newest edge-triggered delivery of readable input */
    u64 pass_at;      /* first consume attempt after that edge */
    u64 armed_at;     /* newest ADD or MOD of any registration of this file */
    u64 out_cut_at;   /* output ended in EAGAIN or short, nothing written since; 0: none */
    u64 wrote_at;     /* last write that moved bytes */
    u64 eof_at;       /* read() returned 0, or RDHUP was delivered */
    u64 peer_closed_at;
    u64 closed_at;    /* last close of a descriptor of it */
    u64 stuck_at;     /* sweep: first saw the present unread input or backlog, unchanged since */
    u64 backlog_at;   /* listener: a connection now waiting was already there at this time */
    u64 wasted_cpu;   /* ns burnt by wake-ups that delivered nothing */
    u64 bytes_in;
    u64 bytes_out;
    u64 home;         /* eventpoll of the newest registration */
    u32 moves;        /* progress the ledger itself saw: part of the progress token */
    u32 reads;
    u32 read_eagain;
    u32 eofs;
    u32 writes;
    u32 write_eagain;
    u32 accepts;
    u32 accept_eagain;
    u32 accept_errors;
    u32 eventless_io; /* consume attempts that no edge called for */
    u32 rescues;      /* left-over input consumed only when a fresh edge came for other data */
    u32 left_passes;  /* listener: successive edges whose pass left a backlog */
    u32 pass_accepts; /* accepts in the present pass */
    u32 ignored_edges;
    u32 wakes;        /* threads woken through this file while asleep in epoll_wait */
    u32 wasted_wakes; /* of these: delivered nothing, or found nothing to accept or read */
    u32 last_read_tid;
    u32 last_write_tid;
    u32 last_asked;   /* bytes asked for by the last read that returned > 0 */
    s32 last_read;    /* its result, or that of the last read at all */
    u32 unread;       /* after the last consume (or as the sweep saw it) */
    u32 backlog;
    u32 backlog_then; /* listener: backlog and accepts when backlog_at was set */
    u32 accepts_then;
    u32 stuck_moves;  /* moves when stuck_at was set */
    u32 stuck_token;  /* the consuming half of the progress token then */
    u32 rearm_errno;  /* a re-arm of a fired ONESHOT registration failed with this */
    u32 tgid;         /* who registered it */
    s32 fd;           /* the number it was registered under */
    s32 home_fd;
    u16 between;      /* enum between_bit, since the last delivery */
    u16 flags;        /* enum file_flag */
    u32 flight_next;  /* slot the next posting goes to */
    u8 kind;          /* enum file_kind */
    u8 pad[7];
    u64 flight[FLIGHT_SLOTS];
};

struct registration_key {
    u64 epoll;
    u64 file;
    s32 fd;
    u32 pad;
};

enum registration_flag {
    REGISTRATION_SEEDED = 1,   /* existed before we attached */
    REGISTRATION_KNOWN = 2,    /* one delivery or ctl was seen since: its history counts */
    REGISTRATION_FIRED = 4,    /* ONESHOT: delivered and not re-armed */
    REGISTRATION_REARMED = 8,  /* MOD since the last delivery */
    REGISTRATION_READY = 16,   /* sweep: on the ready list */
    REGISTRATION_IDLE = 32,    /* no progress before the delivery now being booked */
};

struct registration_row {
    u64 item;         /* struct epitem *, witness that the registration still exists; 0: not known */
    u64 data;
    u64 added_at;
    u64 armed_at;     /* last successful ADD or MOD */
    u64 delivered_at;
    u64 ready_at;     /* first readiness call since the last delivery; 0: none seen */
    u64 fired_at;     /* ONESHOT: the delivery that disarmed it; 0: armed */
    u64 token_io;     /* progress token at the last delivery */
    u64 token_aux;
    u64 run_at;       /* first futile return of the present run */
    u64 run_cpu;      /* CPU time of the thread at that moment */
    u64 run_last_at;  /* newest futile return of the run */
    u64 run_spent;    /* CPU time from run_at to run_last_at */
    u64 best_run_ns;  /* longest run that ended, and what it was like */
    u64 futile_ns;    /* over all runs of LEDGER_RUN returns and more: how long they lasted, */
    u64 futile_cpu;   /* and CPU time of the thread meanwhile */
    u32 best_run;
    u32 best_run_events;
    u32 token_moves;
    u32 token_backlog;
    u32 run;          /* consecutive futile returns that reported it */
    u32 futile;       /* futile returns in such runs: useful work may break one spin into many */
    u32 run_events;   /* bits reported in the run */
    u32 run_between;  /* what the program did between the returns of the run */
    u32 mask;
    u32 deliveries;
    u32 delivered_in;
    u32 delivered_out;
    u32 delivered_hup; /* HUP or ERR */
    u32 readies;
    u32 mods;
    u32 delivered_events; /* of the last delivery */
    u32 delivered_tid;
    u32 ctl_tid;
    u8 flags;         /* enum registration_flag */
    u8 pad[7];
};

/*
 * (epoll, data) -> registration. Sums instead of one entry: while `count` is 1 the sums *are* the
 * registration; when two registrations share their data it is 2 and nobody is blamed; when one of
 * them goes the other is known again, without a list.
 */
struct index_key {
    u64 epoll;
    u64 data;
};

struct index_row {
    u64 file_sum;
    u64 fd_sum;
    u64 count;
};

#define EPOLL_BUCKETS 24

struct epoll_row {
    u64 created_at;
    u64 last_return_at;
    u64 last_fired_at;   /* newest delivery of a ONESHOT registration */
    u64 waits;
    u64 returns;         /* with at least one event */
    u64 events;
    u64 futile_returns;
    u64 timeouts;
    u64 interrupts;
    u64 zero_timeouts;   /* timeout 0 and nothing there */
    u64 full_batches;
    u64 unattributed;    /* events whose data names no single registration */
    u64 eventless_at;
    u32 eventless_io;    /* over all its edge-triggered files */
    u32 eventless_writes;
    u32 rescues;
    u32 registrations;
    u32 fired;           /* ONESHOT deliveries */
    u32 rearms;
    u32 rearms_fast;     /* within 1 s of the delivery */
    u32 unarmed_closes;  /* fired, never touched again for >= 1 s, then closed */
    u32 ctl_errors;
    u32 tgid;
    s32 fd;
    u32 max_events;      /* largest batch returned */
    u32 batch[EPOLL_BUCKETS];   /* log2 of events per return */
    u32 latency[EPOLL_BUCKETS]; /* log2 of µs from readiness to delivery */
    u32 handling[EPOLL_BUCKETS]; /* log2 of µs from a return to that thread's next wait */
};

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
    u64 handoff_at;  /* last futex wake-up of somebody else */
    u32 tgid;
    s32 timeout_ms;
    u32 returns;
    u8 waiting;
    u8 trying_sole;  /* trying_file was the only event of that return */
    u8 seeded;       /* it waited before we attached: that return may go unseen */
    u8 pad;
};

struct process_row {
    u64 seen_at;
    u32 parent;
    u32 flags; /* enum process_flag */
};

enum process_flag {
    PROCESS_FOLLOW = 1, /* children are watched too */
};

/* Everything that could not be kept or seen is counted here, by reason. A report shows all of them. */
enum ledger_stat {
    STAT_POSTINGS = 0,        /* all of STAT_CALLS, added up by the reader */
    STAT_FILES_FULL = 1,
    STAT_REGISTRATIONS_FULL = 2,
    STAT_EPOLLS_FULL = 3,
    STAT_THREADS_FULL = 4,
    STAT_INDEX_FULL = 5,
    STAT_PROCESSES_FULL = 6,
    STAT_EVENTS_UNREAD = 7,   /* the returned array could not be read */
    STAT_EVENTS_BEYOND = 8,   /* more events in one return than are looked at */
    STAT_UNATTRIBUTED = 9,    /* not a loss: data shared by registrations */
    STAT_COMPAT_CALLS = 10,   /* 32-bit system calls: not looked at */
    STAT_CHAIN_BEYOND = 11,   /* a file in more epolls, or a wait queue longer, than is looked at */
    STAT_MESSAGES_BEYOND = 12,
    STAT_RUNS_SKIPPED = 13,   /* the kernel skipped a program that was already running on the CPU; filled in by the reader */
    STAT_RETURNS_MISSED = 14, /* a thread waits again though its last wait was never seen to end */
    STAT_READINESS_SKIPPED = 15, /* as RUNS_SKIPPED, of probes that only date what the sweep finds anyway */
    STAT_CALLS = 16,          /* + enum posting_kind: calls seen by kind */
    STAT_SLOTS = 48,
};

#ifdef __cplusplus
static_assert(sizeof(struct file_row) == 19 * 8 + 30 * 4 + 4 + 4 + 8 + 128);
static_assert(sizeof(struct registration_key) == 24);
static_assert(sizeof(struct registration_row) == 16 * 8 + 18 * 4 + 8);
static_assert(sizeof(struct epoll_row) == 13 * 8 + 12 * 4 + 3 * 4 * EPOLL_BUCKETS);
static_assert(sizeof(struct thread_row) == 10 * 8 + 16);
#endif
