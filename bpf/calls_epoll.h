/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* epoll_create, epoll_ctl, epoll_wait: the interest list, waiting and delivery. Included by calls.h. */
#pragma once

#include "call.h"

static __always_inline void describe_file(struct call *c, struct file *file)
{
    struct posting *p = &c->posting;
    p->file = (u64)file;
    p->file_kind = kind_of_file(file);
    p->ino = BPF_CORE_READ(file, f_inode, i_ino);
    if (BPF_CORE_READ(file, f_flags) & O_NONBLOCK_BIT)
        p->flags |= POSTING_NONBLOCK;
}

static __always_inline bool read_wanted(struct call *c)
{
    struct posting *p = &c->posting;
    void *mask = (void *)c->argument[3];
    void *data = (void *)(c->argument[3] + EPOLL_EVENT_DATA);
    if (c->kernel_events)
        return !bpf_probe_read_kernel(&p->mask, sizeof(p->mask), mask) &&
               !bpf_probe_read_kernel(&p->data, sizeof(p->data), data);
    return !bpf_probe_read_user(&p->mask, sizeof(p->mask), mask) &&
           !bpf_probe_read_user(&p->data, sizeof(p->data), data);
}

/* `operation` on the interest list of p->epoll, for `file` under the number p->fd. */
static __noinline void post_ctl_on(struct call *c, struct file *file, u64 operation)
{
    struct posting *p = &c->posting;
    describe_file(c, file);
    if (operation != 2) {
        if (!read_wanted(c))
            return; /* EFAULT: nothing happened */
        /* do_epoll_ctl() adds these two to its copy; nobody can do without them, so they say nothing. */
        p->mask &= ~(EV_ERR | EV_HUP);
    }
    if (operation == 1) {
        p->kind = POSTING_ADD;
        ledger_add(NULL, p);
        remember_item(p);
    } else if (operation == 3) {
        p->kind = POSTING_MOD;
        ledger_mod(NULL, p);
    } else if (operation == 2) {
        p->kind = POSTING_DEL;
        ledger_del(NULL, p);
    }
}

static __always_inline void post_ctl(struct call *c)
{
    struct posting *p = &c->posting;
    p->epfd = (s32)c->argument[0];
    p->fd = (s32)c->argument[2];
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    struct file *file = file_of_fd(current_task(), (u32)p->fd);
    if (p->epoll && file) /* else EBADF: there is no file to post it to */
        post_ctl_on(c, file, c->argument[1]);
}

static __noinline void post_create(struct call *c)
{
    struct posting *p = &c->posting;
    p->kind = POSTING_CREATE;
    if (p->result < 0)
        return;
    p->epfd = (s32)p->result;
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    if (p->epoll) /* the address may have belonged to an instance that is gone */
        bpf_map_delete_elem(&epoll_rows, &p->epoll);
    if (p->epoll)
        ledger_open_epoll(NULL, p);
}

/*
 * Global functions are verified once, not once per iteration: that is what lets a 5.10 verifier accept a
 * loop over thousands of events. They may take only scalars there, so the call lies in its map.
 */
static __always_inline bool read_event(struct call *c, u32 slot, u32 *events, u64 *data)
{
    u64 at = c->events + (u64)slot * EPOLL_EVENT_SIZE;
    if (bpf_probe_read_user(events, sizeof(*events), (void *)at) ||
        bpf_probe_read_user(data, sizeof(*data), (void *)(at + EPOLL_EVENT_DATA))) {
        books_stat(NULL, STAT_EVENTS_UNREAD);
        return false;
    }
    return true;
}

__noinline int deliver_event(u32 which, u32 slot)
{
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    if (!c || !read_event(c, slot, &c->posting.mask, &c->posting.data))
        return 0;
    struct epoll_row *e = books_epoll(NULL, c->posting.epoll);
    if (!e)
        return 0;
    if (!ledger_index_find(NULL, c->posting.epoll, c->posting.data, &c->key)) {
        c->batch.useful = 1; /* unknown: give it the benefit of the doubt */
        ledger_count(&e->unattributed, 1);
        books_stat(NULL, STAT_UNATTRIBUTED);
        return 0;
    }
    c->posting.file = c->key.file;
    c->posting.fd = c->key.fd;
    struct file_row *f = books_file(NULL, c->key.file);
    if (f) {
        __builtin_memset(&c->posting.state, 0, sizeof(c->posting.state));
        c->posting.file_kind = f->kind;
        c->posting.flags |= POSTING_STATE;
        read_token(&c->posting.state, (struct file *)c->key.file, f->kind);
    }
    ledger_deliver(NULL, &c->posting, e, &c->key, &c->batch);
    return 0;
}

__noinline int settle_event(u32 which, u32 slot)
{
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    u32 events;
    u64 data;
    if (!c || !read_event(c, slot, &events, &data))
        return 0;
    if (!ledger_index_find(NULL, c->posting.epoll, data, &c->key))
        return 0;
    ledger_settle(NULL, &c->posting, &c->key, &c->batch);
    return 0;
}

static __noinline void post_events(struct call *c)
{
    u32 count = (u32)c->posting.result;
    c->events = c->argument[1];
    c->posting.kind = POSTING_DELIVERED;
    if (count == 1)
        c->posting.flags |= POSTING_SOLE;
    if (count > EVENTS_PER_RETURN)
        books_stat(NULL, STAT_EVENTS_BEYOND);
    for (u32 i = 0; i < EVENTS_PER_RETURN; i++) {
        if (i >= count)
            break;
        deliver_event(c->which, i);
    }
}

static __noinline void settle_events(struct call *c)
{
    u32 count = (u32)c->posting.result;
    c->posting.cpu = BPF_CORE_READ(current_task(), se.sum_exec_runtime);
    if (!c->batch.useful)
        facts.suspicious += 1;
    for (u32 i = 0; i < EVENTS_PER_RETURN; i++) {
        if (i >= count)
            break;
        settle_event(c->which, i);
    }
}

static __always_inline u64 waited_epoll(struct call *c)
{
    struct thread_row *t = books_thread(NULL, c->posting.tid);
    if (t && t->waiting)
        return t->epoll;
    return epoll_of_fd(current_task(), (u32)c->argument[0]);
}

static __always_inline void post_return(struct call *c)
{
    struct posting *p = &c->posting;
    p->epfd = (s32)c->argument[0];
    p->epoll = waited_epoll(c);
    if (!p->epoll)
        return;
    c->batch.useful = 0;
    c->batch.idle = 0;
    if (p->result > 0) {
        if (!ledger_open_epoll(NULL, p))
            return;
        post_events(c);
        if (c->batch.idle)
            settle_events(c);
    }
    p->kind = POSTING_RETURN;
    p->amount = (s32)c->argument[2]; /* maxevents */
    ledger_return(NULL, p, &c->batch);
}

static __always_inline void post_wait(struct call *c, u8 class)
{
    struct posting *p = &c->posting;
    p->kind = POSTING_WAIT;
    p->epfd = (s32)c->argument[0];
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    if (!p->epoll)
        return;
    p->amount = (s32)c->argument[3];
    if (class == CALL_EPOLL_PWAIT2) {
        u64 when[2] = {};
        p->amount = -1;
        if (c->argument[3] && !bpf_probe_read_user(when, sizeof(when), (void *)c->argument[3]))
            p->amount = (s64)(when[0] * 1000 + when[1] / 1000000);
        if (p->amount > 0x7fffffff)
            p->amount = 0x7fffffff;
    }
    ledger_wait(NULL, p);
}
