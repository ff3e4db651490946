/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the sweep does with one row, whichever program walks the table (sweep.bpf.c). A file's row is refreshed from
 * the kernel's own state, buried when it died unseen, and handed over when it is worth a look. `seq`: the iterator's
 * output; NULL: the ring `swept`. They say whether the row still describes something that lives; its end is the caller's.
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

/* Is this still the open file that the row describes? Inode numbers of sockets and pipes never repeat;
 * eventfds and their like share one inode, there the kind must do. */
static __always_inline bool same_file(struct file* file, const struct file_row* f)
{
    if (more_references(file) < 0 || READ(file, f_inode, i_ino) != f->ino)
        return false;
    u64 poll = (u64)poll_of(file);
    u64 kind = f->kind;
    if (kind == FILE_TCP || kind == FILE_LISTENER || kind == FILE_UDP || kind == FILE_UNIX)
        kind = FILE_TCP;
    if (kind < FILE_TCP || kind > FILE_EPOLL)
        return true;
    asm volatile("" : "+r"(kind)); /* else clang drops the mask below, which the verifier needs */
    return poll == facts.poll[kind & (FILE_KIND_SLOTS - 1)];
}

/* The kernel keeps who made the other end (sk_peer_pid): for socketpair() it is the caller itself. */
static __always_inline void ask_peer(struct file_state* s, struct file* file, const struct file_row* f)
{
    if (f->kind != FILE_UNIX || !f->out_cut_at)
        return;
    struct sock* sk = sock_of_file(file);
    struct pid* peer = BPF_CORE_READ(sk, sk_peer_pid);
    if (peer && number_of(peer) == f->tgid)
        s->flags |= STATE_PEER_SELF;
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
            hand_over(NULL, out, sizeof(*out));
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
            shown_by_seq += hand_over(seq, out, sizeof(*out)) ? 1 : SEQ_OVER;
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

static __always_inline void drop_dead_home(struct file_row* f, u64 id)
{
    struct registration_key key = {.epoll = f->home, .file = id, .fd = f->home_fd, .pad = 0};
    if (!f->home || !books_registration(NULL, &key))
        return;
    record_gone(RECORD_GONE, key.epoll, id, key.fd);
    ledger_drop_home(NULL, f, id);
}

/* A recording needs to know only when it changes something. Returns the faults of the file. */
static __always_inline struct fault_row* refresh(struct file_row* f, u64 id, const struct file_state* s, u64 now)
{
    const struct fault_row* before = recording ? ledger_fault(NULL, f, id) : NULL;
    u64 since = f->stuck_at;
    u64 writable = before ? before->writable_at : 0;
    bool moved = f->unread != s->unread || f->backlog != s->backlog;
    struct fault_row* x = ledger_refresh_file(NULL, f, id, s, now);
    if (moved || f->stuck_at != since || (x ? x->writable_at : 0) != writable)
        record_swept(id, s, now);
    return x;
}

static __always_inline void drop_dead_file(struct file_row* f, u64 id)
{
    drop_dead_home(f, id);
    record_gone(RECORD_FILE_GONE, 0, id, 0);
    ledger_remove_file(NULL, f, id);
}

static __always_inline bool sweep_file(struct seq_file* seq, u64 id, struct file_row* f)
{
    u32 zero = 0;
    struct file* file = (void*)id;
    if (!same_file(file, f))
        return false;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    if (!out)
        return true;
    out->time = bpf_ktime_get_ns();
    __builtin_memset(&out->state, 0, sizeof(out->state));
    read_token(&out->state, file, f->kind);
    read_output(&out->state, file, f->kind);
    ledger_end_untold(f, &out->state);
    ask_peer(&out->state, file, f);
    const struct fault_row* x = refresh(f, id, &out->state, out->time);
    out->file_id = id;
    bool look = ledger_file_matters(f, x, &out->state);
    struct found_item newest = {};
    if (refresh_items(out, file, f, &newest) || look) {
        out->buried = 0;
        out->file = *f;
        if (x)
            out->fault = *x;
        else
            __builtin_memset(&out->fault, 0, sizeof(out->fault));
        name_socket(&out->name, file, f->kind);
        if (out->chain != 1) {
            show_items(seq, out, file, look);
        } else if (newest.row) { /* it is worth a look, or the file is */
            show(out, f, &newest);
            hand_over(seq, out, sizeof(*out));
        }
    }
    if (out->chain)
        return true;
    if (f->home)
        drop_dead_home(f, id);
    if (look) {
        out->live_mask = 0;
        out->ready = 0;
        fill(out, 0, f, NULL, f->fd);
        hand_over(seq, out, sizeof(*out));
    }
    return true;
}

/* Registrations whose file died, or that went away beside the newest one of their file. */
static __always_inline bool registration_gone(const struct registration_key* key, struct registration_row* r)
{
    return !books_file(NULL, key->file) || item_gone(key, r);
}

static __always_inline void drop_dead_registration(const struct registration_key* key, struct registration_row* r)
{
    record_gone(RECORD_GONE, key->epoll, key->file, key->fd);
    ledger_drop_registration(NULL, key, r, books_file(NULL, key->file), true);
}

/*
 * The small tables, whole: key and row, one after another. Not by look-ups from user space, because a recording must
 * say between which postings a row was read. An instance that died unseen, by exit or close_range() under hook set
 * `tracepoint`, goes once it has been shown.
 */
static __always_inline bool epoll_lives(const struct epoll_row* e, u64 id)
{
    struct file* file = (void*)e->file;
    return !file || (more_references(file) >= 0 && is_epoll(file) && (u64)READ(file, private_data) == id);
}

static __always_inline bool sweep_epoll(struct seq_file* seq, u64* key, struct epoll_row* e)
{
    u64 id = *key;
    ask_newest_heir(id, e);
    ledger_unknown_sweep(NULL, e, bpf_ktime_get_ns());
    record_shown(RECORD_EPOLL_ROW, id, 0, 0);
    hand_over(seq, &id, sizeof(id));
    /* What does not fit is shown again by the next read. */
    return !hand_over(seq, e, sizeof(*e)) || epoll_lives(e, id);
}

/* A task that has another number now has executed a program, and is the first thread of its process since. */
static __always_inline bool thread_lives(u32 tid, const struct thread_row* t)
{
    struct task_struct* task = (void*)t->task;
    return !task || tid_of(task) == tid;
}

static __always_inline void drop_dead_thread(u32 tid)
{
    record_gone(RECORD_THREAD_GONE, 0, 0, (s32)tid);
    books_remove_thread(NULL, tid);
}

static __always_inline bool sweep_thread(struct seq_file* seq, u32* key, struct thread_row* t)
{
    u32 tid = *key;
    struct task_struct* task = (void*)t->task;
    if (!thread_lives(tid, t))
        return false;
    bool stopped = task && task_stopped(task);
    ledger_thread_seen(t, stopped, bpf_ktime_get_ns());
    record_shown(RECORD_THREAD_ROW, 0, (s32)tid, stopped);
    hand_over(seq, &tid, sizeof(tid));
    hand_over(seq, t, sizeof(*t));
    return true;
}
