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
    BETWEEN_MOD_SAME = 0x400,     /* epoll_ctl(MOD) to the mask that it had */
    BETWEEN_URING = 0x800,        /* io_uring_enter by the waiting thread */
    BETWEEN_WRITE_ERROR = 0x1000, /* any error but EAGAIN */
    BETWEEN_OTHER_ERROR = 0x2000, /* connect, shutdown or accept that failed, other than the above */
    BETWEEN_IN_VAIN = 0x4000,     /* a call that succeeded and changed nothing: shutdown of what is shut, no bytes sent */
};
/* No call, but counted with them: at this return the end of the stream was all that was left to read. */
#define RETURN_AT_END 0x8000U
#define BETWEEN_KINDS 16

enum file_flag {
    FILE_NONBLOCK = 1,
    FILE_EDGE = 2,         /* its (last) registration is edge-triggered */
    FILE_EDGE_USED = 4,    /* the newest edge was answered by a consume attempt */
    FILE_SAW_EAGAIN = 8,   /* the current pass ended in EAGAIN */
    FILE_SEEDED = 16,      /* existed before we attached: its past is unknown */
    FILE_SHUT_WRITE = 32,  /* the program shut its sending half */
    FILE_CLOSED = 64,      /* a descriptor of it was closed; the sweep decides whether it lives on */
    FILE_PEEKED = 128,     /* looked at unread input without taking it since the last consume */
    FILE_TOLD_RDHUP = 256, /* EPOLLRDHUP was delivered: the program knows that the peer closed */
    FILE_TAIL = 512,       /* the last write that moved bytes was short: a tail is left for sure */
    FILE_CUT_GUESSED = 1024, /* out_cut_at stands for a full send buffer after a vector of unknown length, or from before */
    FILE_CONNECTING = 2048,  /* connect() was left in progress, and the program has not heard how it ended */
    FILE_CONNECT_ASKED = 4096, /* meanwhile a registration asked for EPOLLOUT, which would tell */
    FILE_SHUT_READ = 8192,   /* the program shut its receiving half */
    FILE_ACCEPTED = 16384,   /* by the thread that registered it, in the same turn: its peer came by itself */
};

/* Which call a user stack shows. */
enum stack_role {
    STACK_READ = 1,   /* any call that consumes, or tries to */
    STACK_WRITE = 2,
    STACK_ACCEPT = 4,
    STACK_WAIT = 8,   /* epoll_wait */
    STACK_ARMED = 16, /* epoll_ctl(ADD, MOD) */
    STACK_REFUSED = 32,  /* epoll_ctl that failed; by file */
    STACK_BLOCKED = 64,  /* the call in which the thread slept, away from its epoll; this one and those below by epoll */
    STACK_CREATED = 128, /* epoll_create without close-on-exec */
    STACK_CHANGED = 256, /* epoll_ctl on another process's registration */
    STACK_STALE = 512,   /* a call on an fd that was closed in the same batch */
    STACK_LEFT = 1024,   /* with one of the first: by place, not by file (registration_row.left_site) */
    STACK_FILE = STACK_READ | STACK_WRITE | STACK_ACCEPT, /* those asked for by file */
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
    u32 stuck_moves;  /* moves (an eventfd: reads) when stuck_at was set */
    u32 stuck_token;  /* the consuming half of the progress token then */
    u32 rearm_errno;  /* a re-arm of a fired ONESHOT registration failed with this */
    u32 tgid;         /* who registered it */
    s32 fd;           /* the number it was registered under */
    s32 home_fd;
    u16 between;      /* enum between_bit, since the last delivery */
    u16 flags;        /* enum file_flag */
    u32 flight_next;  /* slot the next posting goes to */
    u8 kind;          /* enum file_kind */
    u8 stacks_wanted; /* enum stack_role: the next such call leaves its user stack (stacks.h) */
    u8 stacks_taken;  /* those that did */
    u8 faulty;        /* it has a fault_row. A byte of its own: `flags` are changed by many, and the last writer wins */
    u32 duplicates;   /* level-triggered deliveries of what another thread was told and had not touched yet */
    u64 flight[FLIGHT_SLOTS];

    u64 out_told_at;  /* newest delivery of EPOLLOUT */
    u64 ghost_at;     /* a registered number was closed by the process that registered it, and the file lives on */
    u64 refused_at;   /* epoll_ctl failed and nobody has made up for it since; 0: none */
    u32 cut_tid;      /* whose write was cut short; 0: none was, or its rest was taken care of */
    u32 clash_a;      /* two threads now inside a read of it; 0: none. Here, because they are seen where no row can */
    u32 clash_b;      /* be made (sched_waking holds the lock of a run queue) */
    u8 clash_got;     /* enum clash_bit */
    u8 swept;         /* the walk in pieces that saw this row last (walk_piece.generation) */
    u8 pad[2];
};

/*
 * What went wrong with a file, if anything ever did, as far as it is not wanted at each call. Most files never have
 * this row (ledger_fault_row()), so that theirs fits an allocation of 512 bytes. It goes when the file's row goes.
 */
struct fault_row {
    /* EP105: output that was cut short */
    u64 writable_at;  /* sweep: first saw room for it; 0: none, or nothing cut */
    u32 out_token;    /* write_seq then */
    u32 late_writes;  /* tails that had room for LEDGER_LATE_NS and went out only because something else rang */
    /* EP303: file_row.ghost_at */
    u64 ghost_epoll;  /* where that registration is */
    s32 ghost_fd;
    u32 ghost_told;   /* deliveries of the ghost to the process that had closed the number */
    u32 ghost_used;   /* calls of that process on the file since, under another number */
    u32 ghost_errors; /* epoll_ctl(MOD, DEL) on the closed number */
    /* EP103: calls that slept on an edge-triggered file without O_NONBLOCK */
    u64 slept_at;     /* the newest */
    u64 slept_ns;     /* the longest */
    u32 sleep_calls;  /* POSTING_ENTER */
    u32 sleeps;       /* of these, calls that slept LEDGER_SLEPT_NS and more */
    /* EP403: an epoll_ctl that EPOLLEXCLUSIVE forbids failed, and nothing has come of it yet */
    u64 exclusive_at;
    u64 exclusive_epoll;
    u32 exclusive_mask; /* what it asked for */
    u32 exclusive_errors;
    /* EP205 */
    u32 fail_turns;   /* deliveries answered by an accept that failed for want of descriptors */
    u32 fail_errno;
    /* EP402 */
    u32 duplicates_wasted; /* of the threads told of the same input, those that found nothing, or did not look */
    /* EP502: a write of file_row.cut_tid was cut short */
    u32 cut_left;     /* bytes it left unsent, */
    u32 cut_done;     /* and bytes it had sent */
    u32 mixed;        /* writes of another thread that came in between */
    u32 mixed_bytes;
    u32 mixed_tid;    /* whose, */
    u32 mixed_victim; /* and into whose message */
    /* EP501 */
    u32 clashes;      /* overlapping reads that both got bytes */
    u32 clash_misses; /* overlapping reads of which one got EAGAIN */
    /* EP601: file_row.refused_at */
    u32 refusals;     /* in a row */
    u32 refused_mask;
    u16 refused_errno;
    u8 refused_kind;  /* POSTING_ADD or POSTING_MOD */
    u8 exclusive_mod; /* the call of exclusive_at was a MOD; it stays when a DEL answers it, until an ADD does */
    u64 refused_epoll;
    u64 cut_next;     /* EP502: address of the first byte left unsent */
    /* EP105: what was sent next was not the rest of what had been cut short */
    u32 lost_rests;   /* how often */
    u32 lost_bytes;   /* how much was left unsent then */
    u16 cut_mark;     /* of what the last write that was cut short left unsent; 0: not known, or sent (posting.h) */
    u16 cut_pad;
    u32 cut_pad2;
};

/* How the two reads of a clash ended, shifted by one for the second thread. */
enum clash_bit {
    CLASH_GOT = 1,
    CLASH_EAGAIN = 4,
    CLASH_OTHER = 16,
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
    REGISTRATION_ADDED_EDGE = 64, /* EPOLLET was in the mask of its ADD */
    REGISTRATION_CLIENT = 128, /* counted in epoll_row.clients */
    REGISTRATION_SHARED = 256, /* its newest event may have been that of another one with the same data */
    REGISTRATION_ASKED = 512,  /* whoever was told of it was asked whether the number leads to the file */
    REGISTRATION_UNREACHED = 1024, /* a ghost whose close was not seen: its number was found to lead elsewhere or nowhere */
};

/* The calls of one sort that failed in a run, with an error that is not EAGAIN. */
struct failed_calls {
    u32 count; /* as the newest of them, in a row */
    u16 error;
    u8 kind;   /* enum posting_kind */
    u8 pad;
};

enum failed_sort {
    FAILED_READ = 0,
    FAILED_WRITE = 1,
    FAILED_OTHER = 2, /* accept, connect, shutdown */
    FAILED_SORTS = 3,
};

/* What the program did between the futile returns of one run: how many of `returns` came after each. All are halved
 * before `returns` overflows, which keeps the shares. */
struct run_calls {
    u16 returns;
    u16 after[BETWEEN_KINDS]; /* by bit of enum between_bit, and RETURN_AT_END */
    u16 pad;
    struct failed_calls failed[FAILED_SORTS];
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
    u64 best_run_at;
    u64 futile_ns;    /* over all runs of LEDGER_RUN returns and more: how long they lasted, */
    u64 futile_cpu;   /* and CPU time of the thread meanwhile */
    u32 best_run;
    u32 best_run_events;
    u32 token_moves;
    u32 token_backlog;
    u32 run;          /* consecutive futile returns that reported it */
    u32 futile;       /* futile returns in such runs: useful work may break one spin into many */
    u32 run_events;   /* bits reported in the run; it stands, as all of run_*, until the next one begins */
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
    u16 flags;        /* enum registration_flag */
    u8 swept;         /* as in file_row */
    u8 open;          /* 1: filled in, and on the index. 0: another CPU is about to do so */

    u32 flips;            /* MODs that switched between edge- and level-triggered */
    u32 delivered_unread; /* state.unread at the last delivery */
    u32 tgid;         /* who added it; 0: existed before we attached */
    u32 self_readies; /* readiness calls made in the context of that process */
    u32 best_run_mask; /* in force during best_run */
    u32 mask_pad;

    u64 armed_site;   /* where the last ADD or MOD was called (sites.h); 0: not known */
    u64 left_site;    /* edge-triggered: where the last read or accept was called that left something; 0: not known */
    struct run_calls run_calls;
    struct run_calls best_run_calls;
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

struct epoll_row {
    u64 file;            /* its struct file *, by which the sweep learns of its death; 0: not known */
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
    u64 unattributed;    /* events whose data names no single registration, and whose they are is not known */
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

    u64 ghost_file;    /* newest file whose registered number was closed while it lived on */
    s32 ghost_fd;      /* and that number */
    u32 max_asked;     /* maxevents of the last return */
    u32 ready_looks;   /* full batches of at most LEDGER_SMALL_BATCH after which the ready list was counted */
    u32 ready_crowded; /* of these: LEDGER_CROWD times maxevents and more were ready */
    /* EP404: nobody polled it for LEDGER_STALL_NS or more. `away`: the newest such gap. `stall`: the longest
     * of those that kept at least two ready sockets waiting. */
    u64 polled_at;     /* newest return of any thread from a wait on it */
    u64 away_from;
    u64 away_until;    /* 0: none yet */
    u64 away_ns;       /* without the time in which its thread waited for a CPU or was stopped */
    u64 away_nap_ns;   /* longest sleep of its thread inside one system call */
    u64 away_cpu_ns;
    u64 stall_from;
    u64 stall_until;
    u64 stall_ns;
    u64 stall_nap_ns;
    u64 stall_cpu_ns;
    u64 stalled_ns;    /* all of them together */
    s32 away_call;     /* number of that system call; -1: none */
    u32 away_tid;
    u32 away_batch;    /* events it had been handed */
    u32 away_kept;     /* ready sockets that waited through it */
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
    u32 foreign_result;  /* events, for a stranger; 0 for a ctl */
    u8 foreign_kind;     /* POSTING_MOD, POSTING_DEL or POSTING_DELIVERED */
    u8 foreign_file_kind;
    u8 stale_kind;       /* EP504: POSTING_READ, POSTING_WRITE or POSTING_ACCEPT */
    u8 swept;            /* as in file_row */
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

    u32 stacks_wanted;   /* as in file_row: STACK_WAIT */
    u32 stacks_taken;

    /* EP106: a MOD brought input back into a mask that lacked it, */
    u32 resumes;
    u32 resumes_fast;    /* within 1 s of the MOD or ADD before */
    /* EP403: files closed after a MOD that EPOLLEXCLUSIVE forbids, with nothing else done about it */
    u32 exclusive_drops;
    u32 exclusive_mask;  /* what the newest of them asked for */
    /* EP404, more of the newest gap, */
    u64 away_turn;      /* the return with which it began: its batch was delivered at this time */
    u64 away_nap_until; /* end of the longest sleep */
    u64 away_delay_ns;  /* its thread waited for a CPU for most of it, so long; 0: it did not */
    /* and of gaps in which a ready socket waited for a CPU, not for the program: the longest */
    u64 starve_until;
    u64 starve_ns;
    u32 starve_tid;
    u32 starve_kept;
    u32 starves;        /* how many */
    u32 clients;        /* registrations of connections, listeners and datagram sockets */
    u64 polled_other_at; /* newest return in another thread than the one before; 0: one thread alone polls it */
    u32 polled_tid;
    u8 flags;           /* enum epoll_flag */
    u8 away_counted;    /* the newest gap is among the stalls */
    u8 pad[2];
    u64 removed_at;      /* newest removal of a registration, or change of its data */
    struct unknown_event unknown[UNKNOWN_EVENTS];
    /* EP105: connections whose output was stuck for want of room: */
    u32 given_up;        /* closed there and then, by the thread whose write had failed, while the peer was there, */
    u32 gone_on;         /* writes that went on once there was room again */
};

#define STALE_FDS 4

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
    u8 nap_wanted;   /* when nap_call returns it leaves its user stack (naps.h) */

    u64 call_file;     /* POSTING_ENTER: it is in a call on this file since call_at; 0: in none */
    u64 call_at;
    u64 duplicate_file; /* told of it at the same time as another thread, result still open */
    u64 uring_at;      /* newest io_uring_enter */
    u64 zero_at;       /* newest epoll_wait with timeout 0 that found nothing, */
    u64 zero_cpu;      /* and the thread's CPU time then */
    u32 zeros;         /* how many of them */
    u32 zero_run;      /* in a row now */
    u32 zero_bursts;   /* rows of LEDGER_BURST and more that ended in a wait with a timeout */
    u32 call_switches; /* of POSTING_ENTER */
    u64 zero_since;    /* first wait of the present row of waits with timeout 0, events or not; 0: it waits with another */
    u64 timed_ns;      /* spent in waits with another timeout, */
    u32 timed_waits;   /* which were so many */
    s32 accepted;      /* 1 + the descriptor that its newest accept() since it came back made; 0: none */
    /* EP404: what it does between a return and its next wait, counted from its last wake-up in epoll_wait or,
     * where it does not sleep, from at most LEDGER_BASE_NS before the return */
    u64 base_at;
    u64 base_cpu;
    u64 base_delay;  /* time it had waited for a CPU */
    u64 naps_ns;     /* asleep in system calls */
    u64 nap_ns;      /* longest of these sleeps */
    s32 nap_call;    /* in this call */
    u32 batch;       /* events of the last return */
    /* EP504: fds of the present batch that were closed or removed before their event was acted on */
    u64 stale_pass;  /* return_at of that batch */
    u64 stale_closed_at;
    s32 stale_fds[STALE_FDS];
    u32 stale_next;
    u8 stopped;      /* the sweep found it stopped, traced or frozen */
    u8 swept;        /* as in file_row */
    u8 stale_pad[2];
    u64 nap_until;   /* EP404: end of the sleep of nap_ns */
    u64 stopped_ns;  /* since base_at: stopped, not asleep */
    u64 stopped_at;  /* newest moment at which it was known to be stopped; 0: never */
    u64 task;        /* struct task_struct *, by which the sweep asks; 0: not seen yet */
};

/* Not a row: what one return of epoll_wait has brought so far. */
struct ledger_batch {
    u32 useful; /* at least one event had made progress since its last delivery, or may have */
    u32 idle;   /* at least one had not */
    u64 woken_file; /* the thread was woken through this file, 0: not known */
};

#define LEAKED_EPOLLS 4

struct process_row {
    u64 seen_at;
    u64 leaked[LEAKED_EPOLLS]; /* EP603: epolls that came with an exec and were not let go yet; 0: none */
    u64 leaked_task;           /* struct task_struct * of the process */
    s32 leaked_fd[LEAKED_EPOLLS];
    u32 parent;
    u32 flags; /* enum process_flag */
};

enum process_flag {
    PROCESS_FOLLOW = 1, /* children are watched too */
    PROCESS_32BIT = 2,  /* its calls are not looked at (abi.h) */
    PROCESS_NEW = 4,    /* nor are these yet: that the number is still its own is to be seen (LiveCapture::watch()) */
};
#define PROCESS_UNSEEN (PROCESS_32BIT | PROCESS_NEW)

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
    STAT_UNATTRIBUTED = 9,    /* not a loss: data shared by registrations, and which one is meant is not known */
    STAT_COMPAT_CALLS = 10,   /* 32-bit system calls: not looked at */
    STAT_CHAIN_BEYOND = 11,   /* a file in more epolls than are looked at */
    STAT_MESSAGES_BEYOND = 12,
    STAT_RUNS_SKIPPED = 13,   /* the kernel skipped a program that was already running on the CPU; filled in by the reader */
    STAT_RETURNS_MISSED = 14, /* a thread waits again though its last wait was never seen to end */
    STAT_READINESS_SKIPPED = 15, /* probes not run, or waiters not reached, that only date what the sweep finds anyway */
    STAT_CALLS = 16,          /* + enum posting_kind: calls seen by kind */
    /* Evidence that is missing; no loss, nothing is counted by it. */
    STAT_STACKS_LOST = 48,    /* no room for a user stack that was wanted */
    STAT_SITES_FULL = 49,     /* a call of epoll_ctl from a place that is not remembered any more */
    STAT_IO = 50,             /* reads, writes and accepts on files that are or were registered */
    STAT_REQUESTS = 51,       /* of these: reads of a stream socket that got bytes */
    STAT_RECORDS_LOST = 52,   /* no room in the recording's ring; the books are not concerned */
    /* 53 to 55: twins.h */
    /* Losses again. */
    STAT_PROCESSES_32BIT = 56, /* not watched, because they are 32-bit programs */
    STAT_EXEC_BEYOND = 57,     /* an exec with more descriptors than are looked through for epolls */
    STAT_NO_MEMORY = 58,       /* the kernel had none for a row, in a table that had room */
    STAT_RING_UNSEEN = 59,     /* epoll_ctl and close by io_uring, where its tracepoints do not tell of what */
    STAT_EVENTS_UNKNOWN = 60, /* events of registrations that are not in the books */
    STAT_FDS_BEYOND = 61,     /* close_range() with more descriptors than are looked through */
    STAT_DUPS_UNDONE = 62,    /* dup2() and dup3() booked as a close when they began, and failed because something changed meanwhile */
    STAT_SLOTS = 64,
};

#ifdef __cplusplus
static_assert(sizeof(struct file_row) == 19 * 8 + 30 * 4 + 4 + 4 + 8 + 128 + 3 * 8 + 3 * 4 + 4);
static_assert(sizeof(struct file_row) <= 456, "with a hash element's 48 bytes and the key it fits kmalloc-512");
static_assert(sizeof(struct fault_row) == 16 + 8 + 16 + 24 + 24 + 8 + 11 * 4 + 4 + 16 + 16);
static_assert(sizeof(struct registration_key) == 24);
static_assert(sizeof(struct run_calls) == 4 + 2 * BETWEEN_KINDS + 8 * FAILED_SORTS);
static_assert(sizeof(struct registration_row) == 17 * 8 + 17 * 4 + 4 + 8 + 8 + 8 + 8 + 8 + 2 * sizeof(struct run_calls));
static_assert(sizeof(struct epoll_row) == 14 * 8 + 12 * 4 + 3 * 4 * EPOLL_BUCKETS + 8 + 4 * 4 + 12 * 8 + 16 * 4 + 2 * 8 + 8 +
                                              5 * 8 + 3 * 8 + 8 + 8 + 16 + 9 * 8 + 8 + UNKNOWN_EVENTS * 24 + 8);
static_assert(sizeof(struct thread_row) == 10 * 8 + 16 + 6 * 8 + 4 * 4 + 3 * 8 + 5 * 8 + 8 + 2 * 8 + STALE_FDS * 4 + 8 + 4 * 8);
#endif
