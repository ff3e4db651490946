/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What io_uring does that system calls do as well: it closes descriptors, and it changes interest lists.
 *
 * Why these hooks: a close must be seen while the number still leads to its file, and io_uring_submit_req comes when a
 * request is about to be issued, its arguments taken over. Of an epoll_ctl the result is wanted, so that one is looked at
 * when it completes; hook set `trampoline` sees it inside epoll and needs no hook for it here. Both run in the process
 * that owns the ring (a worker or poller of the ring is a thread of it since 5.12).
 *
 * What they cannot see: that a close was cancelled after it was issued (the next event of its file puts that right).
 * Where the tracepoints do not give the request (5.10), such calls are counted as lost.
 */
#pragma once

#include "calls.h"

#define IORING_OP_CLOSE 19
#define IORING_OP_EPOLL_CTL 29

extern const volatile bool ring_changes_unseen; /* hook set `tracepoint`, where requests are not told */
extern const volatile bool ring_opcode_third;

static __always_inline int ring_closes(u32 slot, struct io_kiocb* request)
{
    struct io_close* close = (void*)request;
    if (READ(request, opcode) != IORING_OP_CLOSE)
        return 0;
    u64 ids = current_ids();
    if (!watched(ids >> 32) || READ(close, file_slot)) /* a slot of the ring's own table is in no interest list */
        return 0;
    struct call* c = open_call(slot, ids, 0);
    if (c) {
        seen(POSTING_CLOSE);
        post_close(c, (u32)READ(close, fd));
    }
    return 0;
}

/* `request` may be none: a completion beyond the first of its request. */
static __always_inline int ring_changed(u32 slot, struct io_kiocb* request)
{
    struct io_epoll* wanted = (void*)request;
    if (!request || READ(request, opcode) != IORING_OP_EPOLL_CTL)
        return 0;
    u64 ids = current_ids();
    struct call* c = watched(ids >> 32) ? open_call(slot, ids, READ(request, cqe.res)) : NULL;
    if (!c)
        return 0;
    seen(POSTING_MOD);
    c->kernel_events = 1;
    c->argument[0] = (u32)READ(wanted, epfd);
    c->argument[1] = (u32)READ(wanted, op);
    c->argument[2] = (u32)READ(wanted, fd);
    c->argument[3] = (u64)wanted + bpf_core_field_offset(wanted->event);
    post_ctl(c);
    return 0;
}

static __always_inline int ring_unseen(u8 opcode)
{
    bool matters = opcode == IORING_OP_CLOSE || (opcode == IORING_OP_EPOLL_CTL && ring_changes_unseen);
    if (matters && watched(current_ids() >> 32))
        books_stat(NULL, STAT_RING_UNSEEN);
    return 0;
}

/* 6.12 and later. */
PAIR("tp_btf/io_uring_submit_req", on_io_uring_submit_req, ring_closes(slot, (void*)ctx[0]))
/* 6.1. */
PAIR("tp_btf/io_uring_submit_sqe", on_io_uring_submit_sqe, ring_closes(slot, (void*)ctx[0]))
PAIR("tp_btf/io_uring_complete", on_io_uring_complete, ring_changed(slot, (void*)ctx[1]))

/* 5.10: the ring's context and the opcode; in some releases since, what may be the request stands between them. */
SEC("tp_btf/io_uring_submit_sqe")
int on_io_uring_submit_opcode(u64* ctx)
{
    u64 second = ctx[1], third = ctx[2];
    /* Else clang reads the context at an offset that depends, which the verifier refuses (5.10). */
    asm volatile("" : "+r"(second), "+r"(third));
    return ring_unseen(ring_opcode_third ? (u8)third : (u8)second);
}
