/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What a recording holds. The kernel's ring and the file carry the same bytes (src/recording/format.h says how the
 * file frames them); all of it is little-endian, and what is missing at the end of a record is 0.
 *
 * Values of the enum are part of the recording format: never renumber, never reuse.
 */
#pragma once

#include "rows.h"

enum record_type {
    /* From the kernel, in the order in which it kept its books. The first ones are struct posting. */
    RECORD_POSTING = 0,      /* booked as its kind says */
    RECORD_REFUSED = 1,      /* booked by ledger_refused() alone */
    RECORD_BAD_FD = 2,       /* booked by ledger_bad_fd() alone */
    RECORD_WROTE = 3,        /* booked by ledger_wrote() alone: the file has no row */
    RECORD_SWEPT = 4,        /* the sweep found `state` of `file` changed at `time` */
    RECORD_GONE = 5,         /* the kernel says that the registration epoll, file, fd is no more */
    RECORD_FILE_GONE = 6,    /* ... that the file is no more */
    RECORD_EPOLL_GONE = 7,   /* ... that the epoll instance is no more */
    RECORD_THREAD_GONE = 8,  /* fd: the tid that exits */
    RECORD_SWEEP_END = 9,    /* the walk over the books is over */
    RECORD_ROW = 10,         /* struct recorded_row: the sweep shows a file and one of its registrations */
    RECORD_FILE_TOTALS = 11, /* struct file_totals: as the kernel counted, when its row went */
    RECORD_REGISTRATION_TOTALS = 12,
    RECORD_SITE = 13,       /* struct posting: data is where epoll, file, fd was armed (registration_row.armed_site) */
    RECORD_EPOLL_ROW = 14,  /* struct posting: the sweep shows epoll as it is now */
    RECORD_THREAD_ROW = 15, /* ... the thread that is `fd`; data: 1 while it is stopped or frozen */
    RECORD_LEFT_SITE = 16,  /* as RECORD_SITE, of registration_row.left_site */
    /* From user space. */
    RECORD_WAITS = 32,        /* struct posting: tid of tgid waited on epoll before we attached, since `time` */
    RECORD_LOOK = 33,         /* the rules looked: u64 time */
    RECORD_STATS = 34,        /* counters of enum ledger_stat that are not 0: u32 slot, u32 0, u64 value, ... */
    RECORD_PROCESS = 35,      /* JSON: what is known of a process changed */
    RECORD_STACK = 36,        /* JSON: where in the program a call was made */
    RECORD_NOTE = 37,         /* text: something that limits what a report means */
    RECORD_END = 38,          /* the recording is whole; nothing follows */
    RECORD_AWAY = 39,         /* struct recorded_away, any number: what threads do that are away from their epoll */
    RECORD_UNREGISTERED = 40, /* struct unregistered_socket, any number: sockets that no epoll holds (unregistered.h) */
};

/* Snapshot::away (src/books/snapshot.h) at the look that follows. */
struct recorded_away {
    u32 tid;
    s32 call;
    u64 cpu;
    u64 delay;
};

/* What the sweep reads from the kernel beside the books. */
struct recorded_row {
    u8 kind; /* 0 */
    u8 pad[2];
    u8 record; /* RECORD_ROW */
    u32 live_mask;
    u64 time;
    u64 file;
    u64 epoll;
    s32 fd;
    u32 chain;
    u32 ready;
    u32 pad2;
    struct file_state state;
    u8 name[40]; /* struct socket_name */
};

/* The kernel's own counts, by which a replay can be checked. */
struct file_totals {
    u8 kind; /* 0 */
    u8 file_kind;
    u8 pad;
    u8 record;
    u32 tgid;
    u64 time;
    u64 file;
    u64 armed_at;
    u64 bytes_in;
    u64 bytes_out;
    s32 fd;
    u32 reads;
    u32 read_eagain;
    u32 eofs;
    u32 writes;
    u32 write_eagain;
    u32 accepts;
    u32 accept_eagain;
    u32 accept_errors;
    u32 wakes;
};

struct registration_totals {
    u8 kind; /* 0 */
    u8 pad[2];
    u8 record;
    u32 tgid;
    u64 time;
    u64 epoll;
    u64 file;
    u64 added_at;
    s32 fd;
    u32 deliveries;
    u32 delivered_in;
    u32 delivered_out;
    u32 delivered_hup;
    u32 mods;
    u32 readies;
    u32 futile;
};

static __always_inline void totals_of_file(struct file_totals* t, u64 id, const struct file_row* f, u64 now)
{
    t->kind = 0;
    t->file_kind = f->kind;
    t->pad = 0;
    t->record = RECORD_FILE_TOTALS;
    t->tgid = f->tgid;
    t->time = now;
    t->file = id;
    t->armed_at = f->armed_at;
    t->bytes_in = f->bytes_in;
    t->bytes_out = f->bytes_out;
    t->fd = f->fd;
    t->reads = f->reads;
    t->read_eagain = f->read_eagain;
    t->eofs = f->eofs;
    t->writes = f->writes;
    t->write_eagain = f->write_eagain;
    t->accepts = f->accepts;
    t->accept_eagain = f->accept_eagain;
    t->accept_errors = f->accept_errors;
    t->wakes = f->wakes;
}

static __always_inline void totals_of_registration(struct registration_totals* t, const struct registration_key* key,
                                                   const struct registration_row* r, const struct run_row* runs,
                                                   u64 now)
{
    t->kind = 0;
    t->pad[0] = 0;
    t->pad[1] = 0;
    t->record = RECORD_REGISTRATION_TOTALS;
    t->tgid = r->tgid;
    t->time = now;
    t->epoll = key->epoll;
    t->file = key->file;
    t->added_at = r->added_at;
    t->fd = key->fd;
    t->deliveries = r->deliveries;
    t->delivered_in = r->delivered_in;
    t->delivered_out = r->delivered_out;
    t->delivered_hup = r->delivered_hup;
    t->mods = r->mods;
    t->readies = r->readies;
    t->futile = runs ? runs->futile : 0;
}

/* How much of a posting a recording keeps: the head, the head and the state, or all of it. */
#define RECORD_HEAD_BYTES 72
#define RECORD_STATE_BYTES 104

#ifdef __cplusplus
static_assert(offsetof(struct posting, state) == RECORD_HEAD_BYTES);
static_assert(offsetof(struct posting, ino) == RECORD_STATE_BYTES);
static_assert(offsetof(struct posting, record) == 3 && offsetof(struct recorded_row, record) == 3 &&
              offsetof(struct file_totals, record) == 3 && offsetof(struct registration_totals, record) == 3);
static_assert(sizeof(struct recorded_row) == 120);
static_assert(sizeof(struct file_totals) == 88);
static_assert(sizeof(struct registration_totals) == 72);
#endif
