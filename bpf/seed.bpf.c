// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* What existed before we attached, and what our own descriptors teach us about this kernel. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "item.h"
#include "state.h"
#include "ledger.h"

/*
 * One file after the other, and each file names its registrations: no limit on how many there are, and
 * no walk of a red-black tree. What it cannot see: registrations whose last descriptor is closed while
 * the file lives on elsewhere; the user side compares with fdinfo and counts them.
 */
SEC("iter/task_file")
int on_seed(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    if (!task || !file || !watched(BPF_CORE_READ(task, tgid)))
        return 0;
    struct posting p = {};
    p.kind = POSTING_SEEDED;
    p.time = bpf_ktime_get_ns();
    p.tgid = BPF_CORE_READ(task, tgid);
    p.tid = BPF_CORE_READ(task, pid);
    if (is_epoll(file)) {
        p.epfd = (s32)ctx->fd;
        p.epoll = (u64)BPF_CORE_READ(file, private_data);
        ledger_open_epoll(NULL, &p);
    }
    p.epfd = -1;
    p.file = (u64)file;
    p.file_kind = kind_of_file(file);
    p.ino = BPF_CORE_READ(file, f_inode, i_ino);
    if (BPF_CORE_READ(file, f_flags) & O_NONBLOCK_BIT)
        p.flags = POSTING_NONBLOCK;
    struct item_walk w;
    walk_items(&w, file);
    for (int i = 0; i < CHAIN_MAX; i++) {
        struct epitem *item = next_item(&w);
        if (!item)
            return 0;
        struct registration_key key = {.epoll = (u64)BPF_CORE_READ(item, ep),
                                       .file = (u64)file,
                                       .fd = BPF_CORE_READ(item, ffd.fd),
                                       .pad = 0};
        if (books_registration(NULL, &key))
            continue;
        p.epoll = key.epoll;
        p.fd = key.fd;
        p.mask = BPF_CORE_READ(item, event.events);
        p.data = BPF_CORE_READ(item, event.data);
        ledger_add(NULL, &p);
        struct registration_row *r = books_registration(NULL, &key);
        if (r)
            r->item = (u64)item;
    }
    books_stat(NULL, STAT_CHAIN_BEYOND);
    return 0;
}

/* Only lives on the stack below; this makes its layout part of the object, where a test looks it up. */
const struct learn_record *learn_record_layout;

SEC("iter/task_file")
int on_learn(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    if (!task || !file || BPF_CORE_READ(task, tgid) != (s32)facts.self)
        return 0;
    struct learn_record out = {};
    void *private = BPF_CORE_READ(file, private_data);
    out.fd = ctx->fd;
    out.poll = (u64)poll_of(file);
    /* Meaningful only for our own eventfd and timerfd; user space knows which these are. */
    struct eventfd_ctx *eventfd = private;
    struct list_head *first = BPF_CORE_READ(eventfd, wqh.head.next);
    struct wait_queue_entry *entry = (void *)first - bpf_core_field_offset(struct wait_queue_entry, entry);
    out.callback = (u64)BPF_CORE_READ(entry, func);
    out.function = (u64)BPF_CORE_READ((struct timerfd_ctx *)private, t.tmr.function);
    bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
    return 0;
}
