/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Calls after which a number leads elsewhere or nowhere: close, dup2, close_range. Included by calls.h. */
#pragma once

#include "call.h"
#include "stacks.h"

/* Is there more? Global, for the same reason as deliver_event(). */
__noinline int bury_stretch(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    struct item_walk w;
    walk_on(&w, c->dying, c->dying_at);
    for (int i = 0; i < CHAIN_STRETCH; i++) {
        struct epitem* item = next_item(&w);
        if (!item)
            return 0;
        u64 epoll = plain((u64)READ(item, ep));
        s32 fd = READ(item, ffd.fd);
        if (epoll != c->spared_epoll || fd != c->spared_fd)
            drop_registration(epoll, c->dying, (u32)fd, DROP_GONE | DROP_FROM_FILE | DROP_FILE_DIES);
    }
    c->dying_at = (u64)w.at;
    return 1;
}

/* A file dies, and its registrations with it; but for that of `home` under `home_fd`. */
static __always_inline void bury_items(struct call* c, struct file* file, u64 home, s32 home_fd)
{
    struct item_walk w;
    walk_items(&w, file);
    c->dying = (u64)file;
    c->dying_at = (u64)w.at;
    c->spared_epoll = home;
    c->spared_fd = home_fd;
    for (int i = 0; i < CHAIN_LONGEST / CHAIN_STRETCH; i++)
        if (!bury_stretch(c->which))
            return;
    books_stat(NULL, STAT_CHAIN_BEYOND);
}

/* Global, for the same reason as deliver_event(). (No more than eight functions may be on the stack.) */
__noinline int close_number(u32 which, u32 fd)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    c->posting.file = 0;
    c->posting.flags = 0;
    c->posting.kind = POSTING_CLOSE;
    struct file_row* f = row_of_fd(c, fd);
    struct file* file = (struct file*)c->posting.file;
    if (!file)
        return 0;
    bool last = last_reference(file);
    if (last && is_epoll(file)) {
        books_remove_epoll(NULL, (u64)READ(file, private_data));
    }
    if (!f)
        return 0;
    if (last) {
        c->posting.flags |= POSTING_LAST;
        bury_items(c, file, f->home, f->home_fd);
    }
    ledger_close(NULL, &c->posting);
    record(&c->posting, RECORD_POSTING);
    return 0;
}

static __always_inline void post_close(struct call* c, u32 fd) { close_number(c->which, fd); }

/* dup2() or dup3() begins: it closes what its second argument leads to, unless it fails. */
static __always_inline void post_dup(struct call* c, u8 class)
{
    u32 flags = class == CALL_DUP3 ? (u32)c->argument[2] : 0;
    if (dup_replaces(current_task(), (u32)c->argument[0], (u32)c->argument[1], flags))
        post_close(c, (u32)c->argument[1]);
}

/*
 * dup2() or dup3() failed. dup_replaces() said at its beginning that it would not, if the file that would have been
 * closed is in an epoll and now has no row, or was closed just now: another thread has closed what was to be duplicated,
 * or has lowered the limit, in between.
 */
#define DUP_TAKES_NS (10 * NSEC_PER_MSEC)
__noinline int dup_failed(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    struct file* file = c ? file_of_fd(current_task(), (u32)c->argument[1]) : NULL;
    if (!file)
        return 0;
    struct item_walk w;
    walk_items(&w, file);
    if (!next_item(&w))
        return 0;
    const struct file_row* f = books_file(NULL, (u64)file);
    if (!f || ((f->flags & FILE_CLOSED) && bpf_ktime_get_ns() - f->closed_at < DUP_TAKES_NS))
        books_stat(NULL, STAT_DUPS_UNDONE);
    return 0;
}

/* Global as well: the verifier walks through each turn of a loop. */
__noinline int close_stretch(u32 which, u32 first)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    u64 last = c ? c->argument[1] : 0;
    for (u32 i = 0; c && i < FD_STRETCH; i++) {
        if (first + i > last)
            break;
        close_number(which, first + i);
    }
    return 0;
}

/* So many stretches, from descriptor `first` on. */
#define FD_ROW 32
_Static_assert(FD_STRETCHES % FD_ROW == 0, "rows are whole");
__noinline int close_row(u32 which, u32 first)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    u64 last = c ? c->argument[1] : 0;
    for (u32 i = 0; c && i < FD_ROW; i++) {
        if (first + i * FD_STRETCH > last)
            break;
        close_stretch(which, first + i * FD_STRETCH);
    }
    return 0;
}

/*
 * close_range() begins: as many closes. With CLOEXEC it closes nothing now, and with UNSHARE nothing that other threads
 * still have: their table is left as it was.
 */
static __always_inline void post_close_range(struct call* c)
{
    struct task_struct* task = current_task();
    struct fdtable* table = READ(task, files, fdt);
    u32 first = (u32)c->argument[0], last = (u32)c->argument[1], flags = (u32)c->argument[2];
    u32 size = READ(table, max_fds);
    if (first > last || (flags & ~CLOSE_RANGE_UNSHARE_BIT) || !size)
        return;
    if ((flags & CLOSE_RANGE_UNSHARE_BIT) && BPF_CORE_READ(task, files, count.counter) > 1)
        return;
    if (last >= size)
        last = size - 1;
    c->argument[1] = last;
    for (u32 i = 0; i < FD_STRETCHES / FD_ROW; i++) {
        if (first > last)
            return;
        close_row(c->which, first);
        first += FD_ROW * FD_STRETCH;
    }
    if (first <= last)
        books_stat(NULL, STAT_FDS_BEYOND);
}
