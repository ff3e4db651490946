// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* What existed before we attached, and what our own descriptors teach us about this kernel. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "ids.h"
#include "item.h"
#include "state.h"
#include "ledger.h"

/* What seed_registration() is to book: an address in memory is a number to every verifier, as an argument it would be
 * a pointer to those that know typed loads, and global functions take none. One seed at a time runs. */
u64 seeded_item = 0;
u64 seeded_file = 0;
u64 seeded_at = 0; /* how far its list was walked; 0: to its end */

/* Its output may have been cut short before we looked: whether it was, nobody can say, but when there is room again. */
static __always_inline bool is_full(struct file* file, u8 kind)
{
    struct file_state s = {};
    read_output(&s, file, kind);
    return (s.flags & STATE_STREAM) && !(s.flags & STATE_WRITABLE) &&
           (kind == FILE_UNIX || s.sk_state == SK_ESTABLISHED || s.sk_state == SK_CLOSE_WAIT);
}

/* Global: so it is verified once, not once per registration. */
__noinline int seed_registration(u32 tgid, u32 tid)
{
    struct epitem* item = (void*)seeded_item;
    struct file* file = READ(item, ffd.file);
    struct registration_key key = key_of(item, file);
    if (books_registration(NULL, &key))
        return 0;
    struct posting p = {};
    p.kind = POSTING_SEEDED;
    p.time = bpf_ktime_get_ns();
    p.tgid = tgid;
    p.tid = tid;
    p.epfd = -1;
    p.epoll = key.epoll;
    p.file = key.file;
    p.fd = key.fd;
    p.file_kind = kind_of_file(file);
    note_wake_file(p.file_kind);
    p.ino = READ(file, f_inode, i_ino);
    p.mask = READ(item, event.events);
    p.data = READ(item, event.data);
    if (p.file_kind == FILE_TCP)
        p.amount = READ(sock_of_file(file), __sk_common.skc_state);
    if (READ(file, f_flags) & O_NONBLOCK_BIT)
        p.flags = POSTING_NONBLOCK;
    else if (p.mask & EV_ET)
        facts.blocking_edges = 1;
    if (is_full(file, p.file_kind))
        p.flags |= POSTING_FULL;
    struct registration_row* r = ledger_add(NULL, &p);
    if (r)
        r->item = (u64)item;
    record(&p, RECORD_POSTING);
    return 0;
}

/* Global as well: the verifier walks through each turn of a loop. */
__noinline int seed_stretch(u32 tgid, u32 tid)
{
    struct item_walk w;
    walk_on(&w, seeded_file, seeded_at);
    for (int i = 0; i < CHAIN_STRETCH; i++) {
        seeded_item = (u64)next_item(&w);
        if (!seeded_item)
            break;
        seed_registration(tgid, tid);
    }
    seeded_at = seeded_item && w.at != w.end ? (u64)w.at : 0;
    return 0;
}

/* Not in line: its posting and that of seed_registration() together are more stack than there is. */
static __noinline void seed_epoll(struct task_struct* task, struct file* file, u32 fd)
{
    struct posting p = {};
    p.kind = POSTING_SEEDED;
    p.time = bpf_ktime_get_ns();
    p.tgid = tgid_of(task);
    p.tid = tid_of(task);
    p.epfd = (s32)fd;
    p.epoll = (u64)READ(file, private_data);
    struct epoll_row* e = ledger_open_epoll(NULL, &p);
    if (e)
        e->file = (u64)file;
    record(&p, RECORD_POSTING);
}

/*
 * One file after the other, and each file names its registrations: no limit on how many there are, and
 * no walk of a red-black tree. What it cannot see: registrations whose last descriptor is closed while
 * the file lives on elsewhere; the user side compares with fdinfo and counts them.
 */
SEC("iter/task_file")
int on_seed(struct bpf_iter__task_file* ctx)
{
    struct task_struct* task = ctx->task;
    struct file* file = ctx->file;
    if (!task || !file)
        return 0;
    u32 tgid = tgid_of(task);
    struct process_row* row = bpf_map_lookup_elem(&process_rows, &tgid);
    if (!row)
        return 0;
    meet_program(task, row, tgid); /* where user space could not look at its file */
    if (row->flags & PROCESS_UNSEEN)
        return 0;
    if (is_epoll(file))
        seed_epoll(task, file, ctx->fd);
    struct item_walk w;
    walk_items(&w, file);
    u32 tid = tid_of(task);
    seeded_file = (u64)file;
    seeded_at = (u64)w.at;
    for (int i = 0; i < CHAIN_LONGEST; i += CHAIN_STRETCH) {
        if (!seeded_at)
            return 0;
        seed_stretch(tgid, tid);
    }
    if (seeded_at)
        books_stat(NULL, STAT_CHAIN_BEYOND);
    return 0;
}

/* Only lives on the stack below; this makes its layout part of the object, where a test looks it up. */
const struct learn_record* learn_record_layout;

SEC("iter/task_file")
int on_learn(struct bpf_iter__task_file* ctx)
{
    struct task_struct* task = ctx->task;
    struct file* file = ctx->file;
    if (!task || !file || READ(task, tgid) != (s32)(bpf_get_current_pid_tgid() >> 32))
        return 0;
    learn_pid_namespace();
    struct learn_record out = {};
    void* private = READ(file, private_data);
    out.fd = ctx->fd;
    out.poll = (u64)poll_of(file);
    /* Meaningful only for our own eventfd and timerfd; user space knows which these are. */
    struct eventfd_ctx* eventfd = private;
    struct list_head* first = READ(eventfd, wqh.head.next);
    struct wait_queue_entry* entry = (void*)first - bpf_core_field_offset(struct wait_queue_entry, entry);
    out.callback = (u64)READ(entry, func);
    out.function = (u64)READ((struct timerfd_ctx*)private, t.tmr.function);
    bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
    return 0;
}
