/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* epoll_create and epoll_ctl: the interest list. Included by calls.h. */
#pragma once

#include "call.h"
#include "stacks.h"

static __always_inline void describe_file(struct call* c, struct file* file)
{
    struct posting* p = &c->posting;
    p->file = (u64)file;
    p->file_kind = kind_of_file(file);
    note_wake_file(p->file_kind);
    p->ino = READ(file, f_inode, i_ino);
    if (READ(file, f_flags) & O_NONBLOCK_BIT)
        p->flags |= POSTING_NONBLOCK;
}

static __always_inline bool read_wanted(struct call* c)
{
    struct posting* p = &c->posting;
    u32 event[EPOLL_EVENT_SIZE / 4];
    void* at = (void*)c->argument[3];
    if (c->kernel_events ? bpf_probe_read_kernel(event, sizeof(event), at)
                         : bpf_probe_read_user(event, sizeof(event), at))
        return false;
    p->mask = event[0];
    p->data = event[EPOLL_EVENT_DATA / 4] | (u64)event[EPOLL_EVENT_DATA / 4 + 1] << 32;
    return true;
}

/* From now on calls that may sleep on such files are looked at when they begin (ledger_enter). */
static __always_inline void note_blocking_edge(const struct posting* p)
{
    if ((p->mask & EV_ET) && !(p->flags & POSTING_NONBLOCK) && p->result >= 0 && p->file_kind >= FILE_TCP &&
        p->file_kind <= FILE_PIPE)
        facts.blocking_edges = 1;
}

static __always_inline void take_changed(struct call* c, struct epoll_row* e)
{
    if (!e || e->foreign_at != c->posting.time)
        return;
    ledger_want(e, STACK_WAIT);
    take_deed(c, e, STACK_CHANGED);
}

/*
 * MOD or DEL failed on a number that leads nowhere, or to a file that this epoll does not have under it: does it have
 * another one under it? Only the first of those that are ready are asked, among them what is reported all the time.
 */
static __noinline void find_unreached(struct posting* p)
{
    struct eventpoll* ep = (void*)p->epoll;
    struct list_head* head = (void*)ep + bpf_core_field_offset(ep->rdllist);
    struct list_head* at = READ(head, next);
    if (p->result != -ERRNO_EBADF && p->result != -ERRNO_ENOENT)
        return;
    for (u32 i = 0; i < CHAIN_MAX; i++) {
        if (!at || at == head)
            return;
        struct epitem* item = (void*)at - bpf_core_field_offset(struct epitem, rdllink);
        u64 file = (u64)READ(item, ffd.file);
        if (READ(item, ffd.fd) == p->fd && file != p->file) {
            p->data = file;
            p->flags |= POSTING_UNREACHED;
            return;
        }
        at = READ(at, next);
    }
}

/* The three that follow are global: they are asked for in several places of a program, and verified once. */
__noinline int book_add(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    ledger_add(NULL, &c->posting);
    record(&c->posting, RECORD_POSTING);
    return 0;
}

__noinline int book_mod(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    struct ledger_changed changed = ledger_mod(NULL, &c->posting);
    record(&c->posting, RECORD_POSTING);
    take_refused(c);
    if (changed.r)
        note_site(c, changed.r);
    take_changed(c, changed.e);
    return 0;
}

__noinline int book_del(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    struct epoll_row* e = ledger_del(NULL, &c->posting);
    record(&c->posting, RECORD_POSTING);
    take_changed(c, e);
    return 0;
}

/* `operation` on the interest list of p->epoll, for `file` under the number p->fd. */
static __noinline void post_ctl_on(struct call* c, struct file* file, u64 operation)
{
    struct posting* p = &c->posting;
    stamp(c);
    describe_file(c, file);
    if (operation != 2) {
        if (!read_wanted(c))
            return; /* EFAULT: nothing happened */
        /* do_epoll_ctl() adds these two to its copy; nobody can do without them, so they say nothing. */
        p->mask &= ~(EV_ERR | EV_HUP);
        note_blocking_edge(p);
    }
    if (operation == 1) {
        p->kind = POSTING_ADD;
        if (p->file_kind == FILE_TCP)
            p->amount = READ(sock_of_file(file), __sk_common.skc_state);
        note_refired(p);
        book_add(c->which);
        take_refused(c);
        struct registration_row* r = remember_item(p);
        if (r)
            note_site(c, r);
    } else if (operation == 3) {
        p->kind = POSTING_MOD;
        if (p->result < 0)
            find_unreached(p);
        note_refired(p);
        book_mod(c->which);
    } else if (operation == 2) {
        p->kind = POSTING_DEL;
        if (p->result < 0)
            find_unreached(p);
        book_del(c->which);
    }
}

/* ADD or MOD on a number that leads to no epoll. */
static __noinline void post_refused(struct call* c, struct file* file, u64 operation)
{
    describe_file(c, file);
    stamp(c);
    c->posting.kind = operation == 1 ? POSTING_ADD : POSTING_MOD;
    if (operation == 2 || !read_wanted(c))
        return;
    ledger_refused(NULL, &c->posting);
    record(&c->posting, RECORD_REFUSED);
    take_refused(c);
}

static __always_inline void post_ctl(struct call* c)
{
    struct posting* p = &c->posting;
    p->epfd = (s32)c->argument[0];
    p->fd = (s32)c->argument[2];
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    struct file* file = file_of_fd(current_task(), (u32)p->fd);
    if (p->epoll && file) {
        post_ctl_on(c, file, c->argument[1]);
    } else if (p->epoll && p->result < 0 && c->argument[1] != 1) { /* EBADF, but whose number was it? */
        stamp(c);
        p->kind = c->argument[1] == 2 ? POSTING_DEL : POSTING_MOD;
        find_unreached(p);
        if (p->kind == POSTING_DEL)
            book_del(c->which);
        else
            book_mod(c->which);
    } else if (file && p->result == -ERRNO_EBADF) { /* the epoll is gone: the file will never be heard of */
        post_refused(c, file, c->argument[1]);
    }
}

static __noinline void post_create(struct call* c)
{
    struct posting* p = &c->posting;
    p->kind = POSTING_CREATE;
    if (p->result < 0)
        return;
    stamp(c);
    p->epfd = (s32)p->result;
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    if (p->epoll) /* the address may have belonged to an instance that is gone */
        delete_epoll(p->epoll);
    if (!p->epoll)
        return;
    struct epoll_row* e = ledger_open_epoll(NULL, p);
    record(p, RECORD_POSTING);
    if (e && survives_exec(current_task(), (u32)p->epfd))
        take_deed(c, e, STACK_CREATED);
}
