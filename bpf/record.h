/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Streaming what the ledger books, for a recording. Without one `recording` is false, and the verifier removes all
 * of this. The order in the ring is that in which the books were changed, as far as CPUs have one: a posting is
 * recorded after it was booked, because the ledger may have asked the kernel meanwhile and noted the answer in it.
 *
 * Nobody is woken: sched_waking may be posting, and a thread in user space looks at the ring all the time anyway.
 */
#pragma once

#include "recorded.h"

struct recorded_table {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096); /* the loader sizes it */
};
extern struct recorded_table recorded SEC(".maps");

extern const volatile bool recording;

static __noinline void record_posting(struct posting* p, u32 type)
{
    u64 size = RECORD_HEAD_BYTES;
    if (p->ino || p->cpu)
        size = sizeof(*p);
    else if (p->flags & POSTING_STATE)
        size = RECORD_STATE_BYTES;
    p->record = (u8)type;
    if (bpf_ringbuf_output(&recorded, p, size, BPF_RB_NO_WAKEUP))
        books_stat(NULL, STAT_RECORDS_LOST);
    p->record = 0;
}

static __always_inline void record(struct posting* p, u32 type)
{
    if (recording)
        record_posting(p, type);
}

static __noinline void record_facts(u32 type, u64 epoll, u64 file, s32 fd, u64 data)
{
    struct posting* p = bpf_ringbuf_reserve(&recorded, RECORD_HEAD_BYTES, 0);
    if (!p) {
        books_stat(NULL, STAT_RECORDS_LOST);
        return;
    }
    __builtin_memset(p, 0, RECORD_HEAD_BYTES);
    p->record = (u8)type;
    p->time = bpf_ktime_get_ns();
    p->epoll = epoll;
    p->file = file;
    p->fd = fd;
    p->data = data;
    bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
}

/* Where a call was made is known only after it was booked, and on another CPU its events may be by then. */
static __always_inline void record_site(u32 type, const struct registration_key* key, u64 site)
{
    if (recording)
        record_facts(type, key->epoll, key->file, key->fd, site);
}

/* Deaths that the kernel found, and no posting tells. */
static __always_inline void record_gone(u32 type, u64 epoll, u64 file, s32 fd)
{
    if (recording)
        record_facts(type, epoll, file, fd, 0);
}

/* A row of a small table is about to be copied. */
static __always_inline void record_shown(u32 type, u64 epoll, s32 fd, u64 data)
{
    if (recording)
        record_facts(type, epoll, 0, fd, data);
}

static __always_inline void record_swept(u64 file, const struct file_state* s, u64 now)
{
    if (!recording)
        return;
    struct posting* p = bpf_ringbuf_reserve(&recorded, RECORD_STATE_BYTES, 0);
    if (!p) {
        books_stat(NULL, STAT_RECORDS_LOST);
        return;
    }
    __builtin_memset(p, 0, RECORD_HEAD_BYTES);
    p->record = RECORD_SWEPT;
    p->flags = POSTING_STATE;
    p->time = now;
    p->file = file;
    p->state = *s;
    bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
}

static __always_inline void record_row(const struct sweep_record* out)
{
    if (!recording)
        return;
    struct recorded_row* row = bpf_ringbuf_reserve(&recorded, sizeof(*row), 0);
    if (!row) {
        books_stat(NULL, STAT_RECORDS_LOST);
        return;
    }
    __builtin_memset(row, 0, 8);
    row->record = RECORD_ROW;
    row->live_mask = out->live_mask;
    row->time = out->time;
    row->file = out->key.file;
    row->epoll = out->key.epoll;
    row->fd = out->key.fd;
    row->chain = out->chain;
    row->ready = out->ready;
    row->pad2 = 0;
    row->state = out->state;
    __builtin_memcpy(row->name, &out->name, sizeof(row->name));
    bpf_ringbuf_submit(row, BPF_RB_NO_WAKEUP);
}

static __noinline void record_dying_file(u64 file)
{
    const struct file_row* f = bpf_map_lookup_elem(&file_rows, &file);
    if (!f)
        return;
    struct file_totals* t = bpf_ringbuf_reserve(&recorded, sizeof(*t), 0);
    if (!t) {
        books_stat(NULL, STAT_RECORDS_LOST);
        return;
    }
    totals_of_file(t, file, f, bpf_ktime_get_ns());
    bpf_ringbuf_submit(t, BPF_RB_NO_WAKEUP);
}

static __always_inline void record_file_totals(u64 file)
{
    if (recording)
        record_dying_file(file);
}

static __always_inline void record_registration_totals(const struct registration_key* key,
                                                       const struct registration_row* r, const struct run_row* runs)
{
    if (!recording)
        return;
    struct registration_totals* t = bpf_ringbuf_reserve(&recorded, sizeof(*t), 0);
    if (!t) {
        books_stat(NULL, STAT_RECORDS_LOST);
        return;
    }
    totals_of_registration(t, key, r, runs, bpf_ktime_get_ns());
    bpf_ringbuf_submit(t, BPF_RB_NO_WAKEUP);
}
