/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The row of a registration, and the way to it from the data that epoll hands out. */
#pragma once

#include "rows_calls.h"
#include "types.h"

struct registration_key {
    u64 epoll;
    u64 file;
    s32 fd;
    u32 pad;
};

enum registration_flag {
    REGISTRATION_SEEDED = 1,      /* existed before we attached */
    REGISTRATION_KNOWN = 2,       /* one delivery or ctl was seen since: its history counts */
    REGISTRATION_FIRED = 4,       /* ONESHOT: delivered and not re-armed */
    REGISTRATION_REARMED = 8,     /* MOD since the last delivery */
    REGISTRATION_READY = 16,      /* sweep: on the ready list */
    REGISTRATION_IDLE = 32,       /* no progress before the delivery now being booked */
    REGISTRATION_ADDED_EDGE = 64, /* EPOLLET was in the mask of its ADD */
    REGISTRATION_CLIENT = 128,    /* counted in epoll_row.clients */
    REGISTRATION_SHARED = 256,    /* its newest event may have been that of another one with the same data */
    REGISTRATION_ASKED = 512,     /* whoever was told of it was asked whether the number leads to the file */
    REGISTRATION_UNREACHED =
        1024, /* a ghost whose close was not seen: its number was found to lead elsewhere or nowhere */
};

/* The calls of one sort that failed in a run, with an error that is not EAGAIN. */
struct failed_calls {
    u32 count; /* as the newest of them, in a row */
    u16 error;
    u8 kind; /* enum posting_kind */
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

/*
 * By registration_key; made by ADD (or the seed), gone with DEL, with the epoll, or with the file's last descriptor.
 * Written by the ledger: ctl calls (ledger_ctl.h), deliveries and the runs made of them (ledger_deliver.h), reads and writes
 * (ledger_io.h, ledger_read.h, ledger_write.h); by the sweep: REGISTRATION_READY. Read by the ledger, the sweep and the rules.
 * Always: while `open` is 0 nothing but the key counts.
 */
struct registration_row {
    u64 item; /* struct epitem *, witness that the registration still exists; 0: not known */
    u64 data;
    u64 added_at;
    u64 armed_at; /* last successful ADD or MOD */
    u64 delivered_at;
    u64 ready_at; /* first readiness call since the last delivery; 0: none seen */
    u64 fired_at; /* ONESHOT: the delivery that disarmed it; 0: armed */
    u64 token_io; /* progress token at the last delivery */
    u64 token_aux;
    u64 armed_site; /* where the last ADD or MOD was called (sites.h); 0: not known */
    u64 left_site;  /* edge-triggered: where the last read or accept was called that left something; 0: not known */
    u32 token_moves;
    u32 token_backlog;
    u32 run;      /* consecutive futile returns that reported it (run_row) */
    u32 best_run; /* of the longest such run that ended */
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
    u32 flips;            /* MODs that switched between edge- and level-triggered */
    u32 delivered_unread; /* state.unread at the last delivery */
    u32 tgid;             /* who added it; 0: existed before we attached */
    u32 self_readies;     /* readiness calls made in the context of that process */
    u16 flags;            /* enum registration_flag */
    u8 ran;               /* it has a run_row. A byte of its own, as file_row.faulty */
    u8 open;              /* 1: filled in, and on the index. 0: another CPU is about to do so */
    u32 pad;
};

/*
 * The runs of futile returns of a registration, if it ever had one. Most never have this row (ledger_run_row()), so that
 * theirs fits an allocation of 256 bytes. By registration_key; it goes when the registration's row goes.
 * Written by the ledger (ledger_deliver.h, ledger_failed.h), read by it and by the rules.
 * Always: at, cpu, last_at, spent, events and calls are the present run, or the last one until the next begins.
 */
struct run_row {
    u64 at;      /* its first futile return */
    u64 cpu;     /* CPU time of the thread at that moment */
    u64 last_at; /* its newest futile return */
    u64 spent;   /* CPU time from at to last_at */
    u64 best_ns; /* what registration_row.best_run was like */
    u64 best_at;
    u64 futile_ns;  /* over all runs of LEDGER_RUN returns and more: how long they lasted, */
    u64 futile_cpu; /* and CPU time of the thread meanwhile */
    u32 futile;     /* futile returns in such runs: useful work may break one spin into many */
    u32 events;     /* bits reported in the run */
    u32 best_events;
    u32 best_mask; /* in force then */
    struct run_calls calls;
    struct run_calls best_calls;
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

#ifdef __cplusplus
static_assert(sizeof(struct registration_key) == 24);
static_assert(sizeof(struct run_calls) == 4 + 2 * BETWEEN_KINDS + 8 * FAILED_SORTS);
static_assert(sizeof(struct registration_row) == 11 * 8 + 18 * 4 + 4 + 4);
static_assert(sizeof(struct registration_row) <= 256 - 48 - 24 - 8, "as file_row: with its key it fits kmalloc-256");
static_assert(sizeof(struct run_row) == 8 * 8 + 4 * 4 + 2 * sizeof(struct run_calls));
#endif
