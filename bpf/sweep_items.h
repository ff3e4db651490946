/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the sweep does with the registrations of one file: refreshes them, and hands over those that are worth a look.
 * Included by sweep.h.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "item.h"
#include "state.h"
#include "ledger.h"
#include "socket_name.h"
#include "heir.h"
#include "ids.h"
#include "stopped.h"

struct record_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct sweep_record);
};
extern struct record_table records SEC(".maps");

/* What walks without an iterator hand over, and what iterators cannot; as large as the loader says. */
struct swept_table {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
};
extern struct swept_table swept SEC(".maps");

static __always_inline bool hand_over(struct seq_file* seq, const void* data, u32 size)
{
    if (seq)
        return bpf_seq_write(seq, data, size) == 0;
    if (bpf_ringbuf_output(&swept, (void*)data, size, BPF_RB_NO_WAKEUP) == 0)
        return true;
    books_stat(NULL, STAT_MESSAGES_BEYOND); /* hardly: a piece ends before the ring is full, and two long rows fit */
    return false;
}

/* An iterator's reader gets them all of one length. */
static __always_inline bool hand_over_record(struct seq_file* seq, const struct sweep_record* out)
{
    return hand_over(seq, out, seq ? sizeof(*out) : sweep_record_bytes(out));
}

/* A rule may blame it: its next calls are to say where in the program they are made. */
static __always_inline void want_stacks(u64 epoll, struct file_row* f)
{
    u8 missing = STACK_FILE & ~f->stacks_taken;
    if (missing & ~f->stacks_wanted)
        f->stacks_wanted = missing;
    if (f->kind == FILE_PIPE && (missing & STACK_WRITE))
        facts.pipe_wakers = 1;
    struct epoll_row* e = epoll ? books_epoll(NULL, epoll) : NULL;
    if (e)
        ledger_want(e, STACK_WAIT);
}

static __always_inline void fill(struct sweep_record* out, u64 epoll, struct file_row* f,
                                 const struct registration_row* r, s32 fd)
{
    want_stacks(epoll, f);
    out->key.epoll = epoll;
    out->key.file = out->file_id;
    out->key.fd = fd;
    out->key.pad = 0;
    record_row(out);
    if (r)
        out->registration = *r;
    else
        __builtin_memset(&out->registration, 0, sizeof(out->registration));
    const struct run_row* runs = r ? ledger_run(NULL, &out->key, r) : NULL;
    if (runs)
        out->runs = *runs;
    else
        __builtin_memset(&out->runs, 0, sizeof(out->runs));
}

static __always_inline bool matters(const struct sweep_record* out, const struct file_row* f, struct epitem* item,
                                    const struct registration_row* r)
{
    return ledger_registration_matters(r, f, &out->state, item_is_ready(item), out->time) || ledger_habit_matters(r, f);
}

/* The item that the functions below are asked about: an address in memory is no argument for them (seed.bpf.c). One
 * sweep at a time runs. `records` holds what they add to, and the file that it is about. */
u64 swept_item = 0;
u64 swept_at = 0; /* how far its list was walked */

/* A registration as it was found: a file has one, mostly, and it is looked up once. */
struct found_item {
    struct epitem* item;
    struct registration_row* row;
    struct registration_key key;
};

/* Is this registration worth a look? */
static __always_inline bool refresh_item(struct sweep_record* out, struct file* file, const struct file_row* f,
                                         struct found_item* one, bool found)
{
    out->chain += 1;
    one->key = key_of(one->item, file);
    one->row = books_registration(NULL, &one->key);
    if (!one->row)
        return found;
    one->row->item = (u64)one->item;
    return found || matters(out, f, one->item, one->row);
}

/* Global: so it is verified once, not once per registration. */
__noinline int refresh_far_item(u32 found)
{
    u32 zero = 0;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    const struct file_row* f = out ? books_file(NULL, out->file_id) : NULL;
    struct found_item one = {.item = (struct epitem*)swept_item};
    return f ? refresh_item(out, (struct file*)out->file_id, f, &one, found) : 0;
}

__noinline int refresh_stretch(u32 found)
{
    u32 zero = 0;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    if (!out)
        return found;
    struct item_walk w;
    walk_on(&w, out->file_id, swept_at);
    for (int i = 0; i < CHAIN_STRETCH; i++) {
        swept_item = (u64)next_item(&w);
        if (!swept_item)
            break;
        found = refresh_far_item(found);
    }
    swept_at = swept_item && w.at != w.end ? (u64)w.at : 0;
    return found;
}

/* All that an idle file costs: hardly any has more than one registration, and that one takes no call. Is one of them
 * worth a look? */
static __always_inline bool refresh_items(struct sweep_record* out, struct file* file, const struct file_row* f,
                                          struct found_item* newest)
{
    struct item_walk w;
    out->chain = 0;
    walk_items(&w, file);
    newest->item = next_item(&w);
    u32 found = newest->item && refresh_item(out, file, f, newest, false);
    swept_at = newest->item && w.at != w.end ? (u64)w.at : 0;
    for (int i = 0; i < CHAIN_LONGEST; i += CHAIN_STRETCH) {
        if (!swept_at)
            return found;
        found = refresh_stretch(found);
    }
    if (swept_at)
        books_stat(NULL, STAT_CHAIN_BEYOND);
    return found;
}

static __always_inline void show(struct sweep_record* out, struct file_row* f, const struct found_item* one)
{
    out->live_mask = READ(one->item, event.events);
    out->ready = item_is_ready(one->item);
    fill(out, one->key.epoll, f, one->row, one->key.fd);
}

/* Says whether there is a record to hand over. Global, as above. */
__noinline int show_item(u32 all)
{
    u32 zero = 0;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    struct file_row* f = out ? books_file(NULL, out->file_id) : NULL;
    if (!f)
        return 0;
    struct found_item one = {.item = (void*)swept_item};
    one.key = key_of(one.item, (struct file*)out->file_id);
    one.row = books_registration(NULL, &one.key);
    if (!one.row || (!all && !matters(out, f, one.item, one.row)))
        return 0;
    show(out, f, &one);
    return 1;
}

enum shown { SHOWN_ALL, SHOWN_NONE, SHOWN_ONE };

/* Goes on to the next one that is worth a look, for one stretch at most. Global, as above. */
__noinline int show_next(u32 all)
{
    u32 zero = 0;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    if (!out)
        return SHOWN_ALL;
    struct item_walk w;
    walk_on(&w, out->file_id, swept_at);
    for (int i = 0; i < CHAIN_STRETCH; i++) {
        swept_item = (u64)next_item(&w);
        if (!swept_item)
            return SHOWN_ALL;
        swept_at = (u64)w.at;
        if (show_item(all))
            return SHOWN_ONE;
    }
    return SHOWN_NONE;
}

/*
 * What an iterator writes of one row must fit into its buffer, 8 pages (bpf_seq_read()), or the read ends with E2BIG. A
 * listener of many threads is in as many epolls: those beyond the first ones go through the ring, which user space reads
 * after each read of the iterator. If one of the first does not fit, the row is shown again by the next read.
 */
#define SEQ_ITEMS 16
#define SEQ_OVER 0x10000
u32 shown_by_seq = 0; /* a number in memory: one in a register would be verified value by value */

/* What goes through the ring: all that come next, for one stretch at most. Global, as above. */
__noinline int show_stretch(u32 all)
{
    u32 zero = 0;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    if (!out)
        return SHOWN_ALL;
    struct item_walk w;
    walk_on(&w, out->file_id, swept_at);
    for (int i = 0; i < CHAIN_STRETCH; i++) {
        swept_item = (u64)next_item(&w);
        if (!swept_item)
            return SHOWN_ALL;
        if (show_item(all))
            hand_over_record(NULL, out);
    }
    swept_at = (u64)w.at;
    return SHOWN_NONE;
}

__noinline int show_rest(u32 all)
{
    for (int i = 0; i < CHAIN_LONGEST; i += CHAIN_STRETCH)
        if (show_stretch(all) == SHOWN_ALL)
            break;
    return 0;
}

/* The first ones, through the iterator. Are there more? */
static __always_inline bool show_first(struct seq_file* seq, struct sweep_record* out, bool all)
{
    shown_by_seq = 0;
    for (int i = 0; i < SEQ_ITEMS + CHAIN_LONGEST / CHAIN_STRETCH; i++) {
        if (shown_by_seq >= SEQ_ITEMS)
            break;
        int shown = show_next(all);
        if (shown == SHOWN_ALL)
            return false;
        if (shown ==
            SHOWN_ONE) /* no break depends on it: the loop that clang makes of that is none that 5.10 accepts */
            shown_by_seq += hand_over_record(seq, out) ? 1 : SEQ_OVER;
    }
    return shown_by_seq == SEQ_ITEMS;
}

/* Those worth a look, or all. */
static __always_inline void show_items(struct seq_file* seq, struct sweep_record* out, struct file* file, bool all)
{
    struct item_walk w;
    walk_items(&w, file);
    swept_at = (u64)w.at;
    if (!seq || show_first(seq, out, all))
        show_rest(all);
}
