/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings of calls that consume: reading, accepting, asking for an error. Included by ledger.h. */
#pragma once

static __always_inline void ledger_left(struct file_row* f, const struct posting* p, u32 left)
{
    if (!(p->flags & POSTING_STATE))
        return;
    f->unread = p->state.unread;
    f->backlog = p->state.backlog;
    f->left_at = left ? p->time : 0;
}

static __always_inline void ledger_read(struct books* b, struct file_row* f, const struct posting* p)
{
    ledger_leave(b, f, p);
    if (ledger_interrupted(p->result))
        return;
    books_stat(b, STAT_IO);
    if (f->ghost_at)
        ledger_ghost_used(b, f, p);
    if (f->duplicates)
        ledger_duplicate_tried(b, f, p, p->result >= 0);
    bool peeked = f->flags & FILE_PEEKED; /* it knew what it left: a message not yet complete */
    bool fresh = ledger_attempt(b, f, p);
    f->last_read = p->result > 0x7fffffff ? 0x7fffffff : (s32)p->result;
    if (p->result >= 0)
        f->flags &= ~FILE_CONNECTING;
    bool message = p->result == 0 && (p->flags & POSTING_MESSAGE);
    if (p->result > 0 || message) {
        if (fresh && !peeked)
            ledger_rescue(b, f, p);
        ledger_count(&f->reads, 1);
        if (f->kind == FILE_TCP || f->kind == FILE_UNIX)
            books_stat(b, STAT_REQUESTS);
        ledger_count(&f->moves, 1);
        ledger_count(&f->bytes_in, (u64)p->result);
        f->last_asked = (u32)p->amount;
        f->consumed_at = p->time;
        f->between |= BETWEEN_READ;
        ledger_left(f, p, p->state.unread);
    } else if (p->result == 0 && p->amount != 0) {
        ledger_count(&f->eofs, 1);
        f->consumed_at = p->time;
        f->between |= BETWEEN_READ_EOF;
        f->left_at = 0;
        if (!f->eof_at) { /* consuming the end is progress, once */
            f->eof_at = p->time;
            ledger_count(&f->moves, 1);
        }
    } else if (ledger_failed(p->result, ERRNO_EAGAIN)) {
        ledger_count(&f->read_eagain, 1);
        f->between |= BETWEEN_READ_EAGAIN;
        f->flags |= FILE_SAW_EAGAIN;
        f->left_at = 0;
    } else if (p->result < 0) {
        ledger_call_failed(b, f, p, BETWEEN_READ_ERROR, FAILED_READ);
    }
    if (f->wakes)
        ledger_tried(b, p, p->result >= 0);
    if (f->clash_a)
        ledger_clash(b, f, p);
    ledger_record(f, p, p->result);
}

/*
 * How old is the oldest connection in the queue, at least? It is first in, first out: those that were
 * waiting at backlog_at are all gone only after as many accepts.
 */
static __always_inline void ledger_backlog(struct file_row* f, const struct posting* p)
{
    u32 waiting = p->state.backlog;
    if (!waiting) {
        f->backlog_at = 0;
    } else if (!f->backlog_at || f->accepts - f->accepts_then >= f->backlog_then) {
        f->backlog_at = p->time;
        f->backlog_then = waiting;
        f->accepts_then = f->accepts;
    }
}

static __always_inline bool ledger_out_of_descriptors(s64 result)
{
    /* ENFILE, EMFILE, ENOBUFS, ENOMEM */
    return result == -23 || result == -24 || result == -105 || result == -12;
}

static __always_inline void ledger_accept_failed(struct books* b, struct file_row* f, const struct posting* p)
{
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    ledger_count(&f->accept_errors, 1);
    if (x) {
        if (!(f->between & BETWEEN_ACCEPT_ERROR))
            ledger_count(&x->fail_turns, 1);
        x->fail_errno = (u32)-p->result;
    }
    f->between |= BETWEEN_ACCEPT_ERROR;
}

static __always_inline void ledger_accept(struct books* b, struct file_row* f, const struct posting* p)
{
    ledger_leave(b, f, p);
    if (ledger_interrupted(p->result))
        return;
    books_stat(b, STAT_IO);
    if (f->ghost_at)
        ledger_ghost_used(b, f, p);
    ledger_attempt(b, f, p);
    if (p->result >= 0) {
        ledger_count(&f->accepts, 1);
        ledger_count(&f->moves, 1);
        ledger_count(&f->pass_accepts, 1);
        f->consumed_at = p->time;
        f->between |= BETWEEN_READ;
        struct thread_row* t = books_thread(b, p->tid);
        if (t)
            t->accepted = (s32)p->result + 1;
    } else if (ledger_failed(p->result, ERRNO_EAGAIN)) {
        ledger_count(&f->accept_eagain, 1);
        f->flags |= FILE_SAW_EAGAIN;
        f->between |= BETWEEN_READ_EAGAIN;
    } else if (ledger_out_of_descriptors(p->result)) {
        ledger_accept_failed(b, f, p);
    } else if (ledger_failed(p->result, ERRNO_ECONNABORTED)) { /* it was taken from the queue, and is gone */
        ledger_count(&f->moves, 1);
    } else {
        ledger_call_failed(b, f, p, BETWEEN_OTHER_ERROR, FAILED_OTHER);
    }
    if (p->flags & POSTING_STATE)
        ledger_backlog(f, p);
    ledger_left(f, p, p->state.backlog);
    if (f->wakes)
        ledger_tried(b, p, p->result >= 0);
    ledger_record(f, p, p->result);
}

/* Looked without consuming: the program knows what is there. */
static __always_inline void ledger_peek(struct books* b, struct file_row* f, const struct posting* p)
{
    f->between |= BETWEEN_PEEK;
    if (p->result > 0)
        f->flags |= FILE_PEEKED;
    ledger_record(f, p, p->result);
}

/* timerfd_settime, SO_ERROR that returned an error, MSG_ERRQUEUE: readiness consumed without read(). */
static __always_inline void ledger_cleared(struct books* b, struct file_row* f, const struct posting* p)
{
    if (p->result < 0)
        return;
    /* A time stamp may come alone, without bytes; of a file without an error queue it was an ordinary read. */
    if (p->kind == POSTING_ERRQUEUE && p->result == 0 && f->kind != FILE_TCP && f->kind != FILE_UDP)
        return;
    ledger_count(&f->moves, 1);
    f->consumed_at = p->time;
    f->left_at = 0;
    ledger_record(f, p, p->result);
}
