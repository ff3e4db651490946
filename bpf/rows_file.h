/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The rows of an open file description: file_row, and fault_row for the few with which something went wrong. */
#pragma once

#include "flight.h"
#include "posting.h"
#include "rows_calls.h"

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
    FILE_CUT_GUESSED =
        1024, /* out_cut_at stands for a full send buffer after a vector of unknown length, or from before */
    FILE_CONNECTING = 2048,    /* connect() was left in progress, and the program has not heard how it ended */
    FILE_CONNECT_ASKED = 4096, /* meanwhile a registration asked for EPOLLOUT, which would tell */
    FILE_SHUT_READ = 8192,     /* the program shut its receiving half */
    FILE_ACCEPTED = 16384,     /* by the thread that registered it, in the same turn: its peer came by itself */
};

/*
 * By the address of the file; made when it is first registered (or seeded), gone when the file is.
 * Written by the ledger, as each posting on the file comes (ledger*.h), and by the sweep: unread, backlog, stuck_*,
 * backlog_at and what peers did (ledger_sweep.h). stacks_wanted is written by whoever suspects the file, in user space, too.
 * Read by the ledger, the sweep and the rules.
 * Always: what is counted never falls; a time that is not 0 is not later than the newest posting or sweep.
 */
struct file_row {
    u64 ino;
    u64 last_at;     /* newest entry of `flight` */
    u64 consumed_at; /* last time something was consumed (bytes, EOF, connection, ticks) */
    u64 attempt_at;  /* last consume attempt, whatever came of it */
    u64 left_at;     /* last consume that left something unread; 0: none left */
    u64 edge_at;     /* newest edge-triggered delivery of readable input */
    u64 pass_at;     /* first consume attempt after that edge */
    u64 armed_at;    /* newest ADD or MOD of any registration of this file */
    u64 out_cut_at;  /* output ended in EAGAIN or short, nothing written since; 0: none */
    u64 wrote_at;    /* last write that moved bytes */
    u64 eof_at;      /* read() returned 0, or RDHUP was delivered */
    u64 peer_closed_at;
    u64 closed_at;  /* last close of a descriptor of it */
    u64 stuck_at;   /* sweep: first saw the present unread input or backlog, unchanged since */
    u64 backlog_at; /* listener: a connection now waiting was already there at this time */
    u64 wasted_cpu; /* ns burnt by wake-ups that delivered nothing */
    u64 bytes_in;
    u64 bytes_out;
    u64 home;  /* eventpoll of the newest registration */
    u32 moves; /* progress the ledger itself saw: part of the progress token */
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
    u32 last_asked; /* bytes asked for by the last read that returned > 0 */
    s32 last_read;  /* its result, or that of the last read at all */
    u32 unread;     /* after the last consume (or as the sweep saw it) */
    u32 backlog;
    u32 backlog_then; /* listener: backlog and accepts when backlog_at was set */
    u32 accepts_then;
    u32 stuck_moves; /* moves (an eventfd: reads) when stuck_at was set */
    u32 stuck_token; /* the consuming half of the progress token then */
    u32 tgid;        /* who registered it */
    s32 fd;          /* the number it was registered under */
    s32 home_fd;
    u16 between;      /* enum between_bit, since the last delivery */
    u16 flags;        /* enum file_flag */
    u16 rearm_errno;  /* a re-arm of a fired ONESHOT registration failed with this */
    u8 flight_next;   /* how many postings `flight` has had, as far as that is less than two rounds (ledger_record()) */
    u8 clash_got;     /* enum clash_bit */
    u8 kind;          /* enum file_kind */
    u8 stacks_wanted; /* enum stack_role: the next such call leaves its user stack (stacks.h) */
    u8 stacks_taken;  /* those that did */
    u8 faulty;        /* it has a fault_row. A byte of its own: `flags` are changed by many, and the last writer wins */
    u32 duplicates;   /* level-triggered deliveries of what another thread was told and had not touched yet */
    u32 cut_tid;      /* whose write was cut short; 0: none was, or its rest was taken care of */
    u64 flight[FLIGHT_SLOTS];

    u64 out_told_at; /* newest delivery of EPOLLOUT */
    u64 ghost_at;    /* a registered number was closed by the process that registered it, and the file lives on */
    u64 refused_at;  /* epoll_ctl failed and nobody has made up for it since; 0: none */
    u32 clash_a;     /* two threads now inside a read of it; 0: none. Here, because they are seen where no row can */
    u32 clash_b;     /* be made (sched_waking holds the lock of a run queue) */
};

/*
 * What went wrong with a file, if anything ever did, as far as it is not wanted at each call. Most files never have
 * this row (ledger_fault_row()), so that theirs fits an allocation of 512 bytes. It goes when the file's row goes.
 * Written by the ledger, and writable_at by the sweep; read by both and by the rules.
 */
struct fault_row {
    /* EP105: output that was cut short */
    u64 writable_at; /* sweep: first saw room for it; 0: none, or nothing cut */
    u32 out_token;   /* write_seq then */
    u32 late_writes; /* tails that had room for LEDGER_LATE_NS and went out only because something else rang */
    /* EP303: file_row.ghost_at */
    u64 ghost_epoll; /* where that registration is */
    s32 ghost_fd;
    u32 ghost_told;   /* deliveries of the ghost to the process that had closed the number */
    u32 ghost_used;   /* calls of that process on the file since, under another number */
    u32 ghost_errors; /* epoll_ctl(MOD, DEL) on the closed number */
    /* EP103: calls that slept on an edge-triggered file without O_NONBLOCK */
    u64 slept_at;    /* the newest */
    u64 slept_ns;    /* the longest */
    u32 sleep_calls; /* POSTING_ENTER */
    u32 sleeps;      /* of these, calls that slept LEDGER_SLEPT_NS and more */
    /* EP403: an epoll_ctl that EPOLLEXCLUSIVE forbids failed, and nothing has come of it yet */
    u64 exclusive_at;
    u64 exclusive_epoll;
    u32 exclusive_mask; /* what it asked for */
    u32 exclusive_errors;
    /* EP205 */
    u32 fail_turns; /* deliveries answered by an accept that failed for want of descriptors */
    u32 fail_errno;
    /* EP402 */
    u32 duplicates_wasted; /* of the threads told of the same input, those that found nothing, or did not look */
    /* EP502: a write of file_row.cut_tid was cut short */
    u32 cut_left; /* bytes it left unsent, */
    u32 cut_done; /* and bytes it had sent */
    u32 mixed;    /* writes of another thread that came in between */
    u32 mixed_bytes;
    u32 mixed_tid;    /* whose, */
    u32 mixed_victim; /* and into whose message */
    /* EP501 */
    u32 clashes;      /* overlapping reads that both got bytes */
    u32 clash_misses; /* overlapping reads of which one got EAGAIN */
    /* EP601: file_row.refused_at */
    u32 refusals; /* in a row */
    u32 refused_mask;
    u16 refused_errno;
    u8 refused_kind;  /* POSTING_ADD or POSTING_MOD */
    u8 exclusive_mod; /* the call of exclusive_at was a MOD; it stays when a DEL answers it, until an ADD does */
    u64 refused_epoll;
    u64 cut_next; /* EP502: address of the first byte left unsent */
    /* EP105: what was sent next was not the rest of what had been cut short */
    u32 lost_rests; /* how often */
    u32 lost_bytes; /* how much was left unsent then */
    u16 cut_mark;   /* of what the last write that was cut short left unsent; 0: not known, or sent (posting.h) */
    u16 cut_pad;
    u32 cut_by; /* whose write that was: EPOLLOUT lets anybody send the rest, and file_row.cut_tid is 0 from then on */
};

/* How the two reads of a clash ended, shifted by one for the second thread. */
enum clash_bit {
    CLASH_GOT = 1,
    CLASH_EAGAIN = 4,
    CLASH_OTHER = 16,
};

#ifdef __cplusplus
static_assert(sizeof(struct file_row) == 19 * 8 + 29 * 4 + 4 + 4 + 4 + 2 * 4 + 128 + 3 * 8 + 2 * 4);
/* bpf_mem_alloc_init() adds LLIST_NODE_SZ since 6.1 (7c8199e24fa0). */
static_assert(sizeof(struct file_row) <= 512 - 48 - 8 - 8,
              "with a hash element's 48 bytes, its key and the allocator's own 8 it fits kmalloc-512");
static_assert(sizeof(struct fault_row) == 16 + 8 + 16 + 24 + 24 + 8 + 11 * 4 + 4 + 16 + 16);
#endif
