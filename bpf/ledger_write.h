/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings of calls that produce: writing, handing on, connecting. Included by ledger.h. */
#pragma once

/* Any write of the thread to a socket, pipe or eventfd, registered or not: somebody else may now be at
 * work for it. Not those who came to be served: what they are sent is an answer. */
static __always_inline void ledger_wrote(struct books* b, const struct file_row* f, const struct posting* p)
{
    if (f && (f->flags & FILE_ACCEPTED))
        return;
    struct thread_row* t = books_thread(b, p->tid);
    if (!t || p->result <= 0)
        return;
    t->wrote_at = p->time;
    t->wrote_file = p->file;
}

static __always_inline bool ledger_cut(const struct posting* p)
{
    if (p->amount)
        return p->result < p->amount;
    /* Vectors and sendfile: what was asked for was not looked at; a full send buffer tells as well. */
    return (p->flags & POSTING_STATE) && !(p->state.flags & STATE_WRITABLE);
}

/*
 * EP105. Output that was cut goes on without EPOLLOUT having said so: by the program's own clock or plan, which
 * speaks for it, or only because something else of this file rang, long after there was room again.
 */
static __always_inline void ledger_resumes(struct books* b, struct file_row* f, const struct posting* p)
{
    const struct thread_row* t = books_thread(b, f->last_write_tid);
    if (t && t->wait_at < f->out_cut_at) /* still in the turn in which it was cut */
        return;
    struct epoll_row* e = f->home ? books_epoll(b, f->home) : NULL;
    if (e && p->result > 0)
        ledger_count(&e->gone_on, 1);
    if (f->out_told_at >= f->out_cut_at || p->time - f->out_cut_at < LEDGER_PASS_NS)
        return;
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = f->home_fd, .pad = 0};
    const struct registration_row* r = f->home ? books_registration(b, &key) : NULL;
    if (!r)
        return;
    if (r->delivered_at > f->out_cut_at && p->time - r->delivered_at <= LEDGER_PASS_NS) {
        struct fault_row* x = ledger_fault(b, f, p->file);
        if (p->result > 0 && (f->flags & FILE_TAIL) && x && x->writable_at &&
            p->time - x->writable_at >= LEDGER_LATE_NS && !ledger_stopped_since(b, p->tid, x->writable_at))
            ledger_count(&x->late_writes, 1);
        return;
    }
    if (e)
        ledger_count(&e->eventless_writes, 1);
}

static __always_inline void ledger_write(struct books* b, struct file_row* f, const struct posting* p)
{
    ledger_leave(b, f, p);
    if (ledger_interrupted(p->result))
        return;
    books_stat(b, STAT_IO);
    if (f->ghost_at)
        ledger_ghost_used(b, f, p);
    if (f->out_cut_at)
        ledger_resumes(b, f, p);
    f->last_write_tid = p->tid;
    if (p->result > 0) {
        if (f->flags & FILE_TAIL)
            ledger_rest(b, f, p);
        f->flags &= ~(FILE_TAIL | FILE_CUT_GUESSED | FILE_CONNECTING);
        if (ledger_cut(p))
            f->flags |= p->amount ? FILE_TAIL : FILE_CUT_GUESSED;
        ledger_count(&f->writes, 1);
        if (f->kind != FILE_EVENTFD) /* that makes it more readable, and takes nothing */
            ledger_count(&f->moves, 1);
        ledger_count(&f->bytes_out, (u64)p->result);
        f->wrote_at = p->time;
        f->between |= BETWEEN_WRITE;
        f->out_cut_at = ledger_cut(p) ? p->time : 0;
        if (f->cut_tid || f->out_cut_at)
            ledger_between(b, f, p);
    } else if (ledger_failed(p->result, ERRNO_EAGAIN)) {
        ledger_count(&f->write_eagain, 1);
        f->between |= BETWEEN_WRITE_EAGAIN;
        f->flags &= ~FILE_CUT_GUESSED;
        f->out_cut_at = p->time;
    } else if (p->result < 0) {
        ledger_call_failed(b, f, p, BETWEEN_WRITE_ERROR, FAILED_WRITE);
    } else if (p->flags & POSTING_MESSAGE) { /* a datagram without bytes is sent all the same */
        ledger_count(&f->writes, 1);
        ledger_count(&f->moves, 1);
        f->wrote_at = p->time;
        f->between |= BETWEEN_WRITE;
    } else {
        f->between |= BETWEEN_IN_VAIN;
    }
    ledger_record(f, p, p->result);
}

static __always_inline void ledger_handoff(struct books* b, const struct posting* p)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (t && p->result > 0)
        t->handoff_at = p->time;
}

/*
 * A connect() that began or completed something; of a datagram socket it only notes the peer. `f` may be NULL: one
 * that is left in progress is remembered, for it is mostly registered next, and may stand by then (on loopback it does).
 */
static __always_inline void ledger_connect(struct books* b, struct file_row* f, const struct posting* p)
{
    bool begun = ledger_failed(p->result, ERRNO_EINPROGRESS);
    if (!f && begun && p->file_kind == FILE_TCP)
        f = ledger_open_file(b, p);
    if (!f || ledger_interrupted(p->result))
        return;
    if (begun)
        f->flags = (f->flags & ~FILE_CONNECT_ASKED) | FILE_CONNECTING;
    else if (!ledger_failed(p->result, ERRNO_EALREADY))
        f->flags &= ~FILE_CONNECTING;
    if (p->result < 0 && !begun)
        ledger_call_failed(b, f, p, BETWEEN_OTHER_ERROR, FAILED_OTHER);
    else if (f->kind == FILE_UDP)
        f->between |= BETWEEN_IN_VAIN;
    else
        ledger_count(&f->moves, 1);
    ledger_record(f, p, p->result);
}
