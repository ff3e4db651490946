/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Calls that move data, and those that open or end its flow. Included by calls.h. */
#pragma once

#include "call.h"
#include "stacks.h"

/*
 * A file that outlived a descriptor (a forked child had it too) may die where no call shows it, by exec or exit, and
 * its memory may hold another file before the sweep comes. Those that were never closed are not asked.
 */
static __always_inline bool reused(struct file* file, const struct file_row* f)
{
    return (f->flags & FILE_CLOSED) && READ(file, f_inode, i_ino) != f->ino;
}

/* A call on a number that leads nowhere, or not to a socket: one that was closed in the same batch? Global: rare, and
 * asked by all that follow. */
__noinline int bad_number(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    stamp(c);
    ledger_bad_fd(NULL, &c->posting);
    record(&c->posting, RECORD_BAD_FD);
    const struct thread_row* t = books_thread(NULL, c->posting.tid);
    struct epoll_row* e = t && t->stale_pass ? books_epoll(NULL, t->epoll) : NULL;
    if (!e || e->stale_at != c->posting.time)
        return 0;
    c->posting.epoll = t->epoll;
    ledger_want(e, STACK_WAIT);
    take_deed(c, e, STACK_STALE);
    c->posting.epoll = 0;
    return 0;
}

static __always_inline struct file_row* row_of_fd(struct call* c, u32 fd)
{
    struct file* file = file_of_fd(current_task(), fd);
    c->posting.fd = (s32)fd;
    if (c->posting.result == -ERRNO_EBADF || c->posting.result == -ERRNO_ENOTSOCK)
        bad_number(c->which);
    if (!file)
        return NULL;
    c->posting.file = (u64)file;
    struct file_row* f = books_file(NULL, (u64)file);
    if (!f || reused(file, f))
        return NULL;
    stamp(c);
    return f;
}

static __always_inline void with_input(struct call* c, const struct file_row* f)
{
    c->posting.file_kind = f->kind;
    c->posting.flags |= POSTING_STATE;
    read_input(&c->posting.state, (struct file*)c->posting.file, f->kind);
}

/* Only for edge-triggered files without O_NONBLOCK: has the thread given up the CPU since the call began? */
static __always_inline void note_sleep(struct call* c, const struct file_row* f)
{
    if (!ledger_can_hang(f))
        return;
    const struct thread_row* t = books_thread(NULL, c->posting.tid);
    if (t && t->call_file == c->posting.file && t->call_switches != (u32)READ(current_task(), nvcsw))
        c->posting.flags |= POSTING_SLEPT;
}

static __always_inline void enter_call_on(struct call* c, struct file_row* f)
{
    if (!ledger_can_hang(f))
        return;
    c->posting.kind = POSTING_ENTER;
    c->posting.amount = (s64)READ(current_task(), nvcsw);
    seen(POSTING_ENTER);
    ledger_enter(NULL, f, &c->posting);
    record(&c->posting, RECORD_POSTING);
}

/* A call that may sleep begins. */
static __noinline void post_enter(struct call* c, u8 class)
{
    u64 flags = class == CALL_RECVFROM || class == CALL_SENDTO || class == CALL_RECVMMSG || class == CALL_SENDMMSG
                    ? c->argument[3]
                : class == CALL_RECVMSG || class == CALL_SENDMSG ? c->argument[2]
                                                                 : 0;
    struct file_row* f = flags & MSG_DONTWAIT_BIT ? NULL : row_of_fd(c, (u32)c->argument[0]);
    if (f)
        enter_call_on(c, f);
}

/*
 * Did the call that returned 0 take, or send, a message without bytes? Not read(), readv() or writev() of no bytes, which
 * never reach the socket: whoever does comes with the flag. SOCK_SEQPACKET ends by 0 too, once its queue is empty.
 */
static __always_inline bool empty_message(struct call* c, const struct file_row* f, bool input)
{
    struct posting* p = &c->posting;
    if (p->result || (f->kind != FILE_UDP && f->kind != FILE_UNIX) || !(p->amount || (p->flags & POSTING_MESSAGE)))
        return false;
    if (input && (p->state.flags & STATE_RCV_SHUTDOWN) && !p->state.unread)
        return false;
    return READ(sock_of_file((struct file*)p->file), sk_type) != SOCK_STREAM;
}

static __noinline void post_read(struct call* c, u32 fd)
{
    c->posting.kind = POSTING_READ;
    struct file_row* f = row_of_fd(c, fd);
    if (!f)
        return;
    note_sleep(c, f);
    with_input(c, f);
    if (f->kind == FILE_LISTENER)
        return;
    if (!empty_message(c, f, true))
        c->posting.flags &= ~POSTING_MESSAGE;
    take_wanted(c, f, STACK_READ);
    ledger_read(NULL, f, &c->posting);
    record(&c->posting, RECORD_POSTING);
    note_left(c, f, STACK_READ);
}

static __noinline void post_peek(struct call* c, u8 kind, u32 fd)
{
    c->posting.kind = kind;
    struct file_row* f = row_of_fd(c, fd);
    if (!f)
        return;
    if (kind == POSTING_PEEK)
        ledger_peek(NULL, f, &c->posting);
    else
        ledger_cleared(NULL, f, &c->posting);
    record(&c->posting, RECORD_POSTING);
}

/* The end that is written to has no registration and no row: the stack belongs to the end that is read. */
static __noinline void take_waker(struct call* c)
{
    struct file* file = (struct file*)c->posting.file;
    if ((u64)poll_of(file) != facts.poll[FILE_PIPE])
        return;
    struct wait_queue_head* queue = told_by_write(file);
    struct list_head* first = queue ? READ((struct list_head*)((void*)queue + bpf_core_field_offset(queue->head)), next)
                                    : NULL;
    struct wait_queue_entry* entry = (void*)first - bpf_core_field_offset(struct wait_queue_entry, entry);
    if (!first || (u64)READ(entry, func) != facts.ep_poll_callback)
        return;
    struct eppoll_entry* link = (void*)entry - bpf_core_field_offset(struct eppoll_entry, wait);
    u64 other = (u64)BPF_CORE_READ(link, base, ffd.file);
    struct file_row* f = books_file(NULL, other);
    if (!f)
        return;
    c->posting.file = other;
    take_wanted(c, f, STACK_WRITE);
}

/* Eight bytes of what the call was given. */
static __always_inline u32 mark_at(u64 address, u64 bytes)
{
    u64 first = 0;
    if (bytes < MARKED_BYTES || bpf_probe_read_user(&first, sizeof(first), (void*)address))
        return 0;
    return mark_of(first);
}

/* Does it go on with what an earlier write left unsent? Looked at only where one was cut short. */
static __noinline void mark_bytes(struct call* c, const struct file_row* f)
{
    struct posting* p = &c->posting;
    if (!p->data || p->result <= 0)
        return;
    u32 head = f->flags & FILE_TAIL ? mark_at(p->data, (u64)p->amount) : 0;
    u32 rest = p->amount > p->result ? mark_at(p->data + (u64)p->result, (u64)(p->amount - p->result)) : 0;
    p->mask = marks_of(head, rest);
}

static __noinline void post_write(struct call* c, u32 fd)
{
    c->posting.kind = POSTING_WRITE;
    struct file_row* f = row_of_fd(c, fd);
    if (!c->posting.file)
        return;
    if (!f) {
        if (c->posting.result > 0 && reaches_others((struct file*)c->posting.file)) {
            stamp(c);
            ledger_wrote(NULL, NULL, &c->posting);
            record(&c->posting, RECORD_WROTE);
            if (facts.pipe_wakers)
                take_waker(c);
        }
        return;
    }
    take_wanted(c, f, STACK_WRITE);
    ledger_wrote(NULL, f, &c->posting);
    note_sleep(c, f);
    c->posting.file_kind = f->kind;
    if (!empty_message(c, f, false))
        c->posting.flags &= ~POSTING_MESSAGE;
    if (c->posting.result > 0 && !c->posting.amount) {
        c->posting.flags |= POSTING_STATE;
        read_output(&c->posting.state, (struct file*)c->posting.file, f->kind);
        if (f->kind != FILE_TCP) /* a Unix socket that is full by a quarter takes more */
            c->posting.state.flags |= STATE_WRITABLE;
    }
    if ((f->flags & FILE_TAIL) || c->posting.amount > c->posting.result)
        mark_bytes(c, f);
    ledger_write(NULL, f, &c->posting);
    record(&c->posting, RECORD_POSTING);
}

static __noinline void post_accept(struct call* c)
{
    c->posting.kind = POSTING_ACCEPT;
    struct file_row* f = row_of_fd(c, (u32)c->argument[0]);
    if (!f)
        return;
    /* It may have been registered before listen(). Who merely asks whether it is a listener gets an error. */
    if (f->kind != FILE_LISTENER &&
        (c->posting.result >= 0 || kind_of_file((struct file*)c->posting.file) == FILE_LISTENER))
        f->kind = FILE_LISTENER;
    note_sleep(c, f);
    with_input(c, f);
    take_wanted(c, f, STACK_ACCEPT);
    ledger_accept(NULL, f, &c->posting);
    record(&c->posting, RECORD_POSTING);
    note_left(c, f, STACK_ACCEPT);
}

static __noinline void post_other(struct call* c, u8 class)
{
    struct file_row* f = row_of_fd(c, (u32)c->argument[0]);
    if (class == CALL_CONNECT && !f && ledger_failed(c->posting.result, ERRNO_EINPROGRESS) && c->posting.file) {
        stamp(c);
        describe_file(c, (struct file*)c->posting.file);
    } else if (!f) {
        return;
    }
    if (class == CALL_CONNECT) {
        c->posting.kind = POSTING_CONNECT;
        ledger_connect(NULL, f, &c->posting);
    } else if (!f) {
        return;
    } else if (class == CALL_SHUTDOWN) {
        c->posting.kind = POSTING_SHUTDOWN;
        c->posting.amount = (s64)c->argument[1];
        ledger_shutdown(NULL, &c->posting);
    } else if (class == CALL_SETTIME) {
        c->posting.kind = POSTING_SETTIME;
        ledger_cleared(NULL, f, &c->posting);
    } else if (class == CALL_FCNTL) {
        struct file* file = (void*)c->posting.file;
        c->posting.kind = POSTING_FCNTL;
        if (READ(file, f_flags) & O_NONBLOCK_BIT)
            c->posting.flags |= POSTING_NONBLOCK;
        ledger_fcntl(NULL, &c->posting);
    }
    record(&c->posting, RECORD_POSTING);
}
