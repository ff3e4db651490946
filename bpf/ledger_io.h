/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings of what the program did with its readiness. Included by ledger.h. */
#pragma once

/*
 * Edge-triggered discipline. A pass begins with the first consume attempt after an edge and ends when
 * its thread waits again, or after LEDGER_PASS_NS when it went elsewhere. An attempt outside a pass is
 * event-less: this program remembers readiness by itself and will come back without being told.
 */
static __always_inline bool ledger_pass_over(struct books* b, const struct file_row* f, u64 now)
{
    if (now - f->pass_at > LEDGER_PASS_NS)
        return true;
    const struct thread_row* t = books_thread(b, f->last_read_tid);
    return t && t->wait_at > f->pass_at;
}

static __always_inline void ledger_eventless(struct books* b, struct file_row* f, u64 now)
{
    ledger_count(&f->eventless_io, 1);
    struct epoll_row* e = books_epoll(b, f->home);
    if (!e)
        return;
    ledger_count(&e->eventless_io, 1);
    e->eventless_at = now;
}

/* Loops that follow every event of a file with reads and writes read when they are told of room. That is no memory. */
static __always_inline bool ledger_told_of_room(const struct file_row* f, u64 now)
{
    return f->out_told_at > f->attempt_at && now - f->out_told_at <= LEDGER_IGNORED_NS;
}

/* Before the result of a consume attempt is booked. Says whether it is the first after a fresh edge. */
static __always_inline bool ledger_attempt(struct books* b, struct file_row* f, const struct posting* p)
{
    bool fresh = false;
    if (f->flags & FILE_EDGE) {
        if (!f->edge_at) {
            /* Seeded: an edge may have come before we attached. */
            if (!(f->flags & FILE_SEEDED) && !ledger_told_of_room(f, p->time))
                ledger_eventless(b, f, p->time);
        } else if (!(f->flags & FILE_EDGE_USED)) {
            fresh = true;
            f->flags |= FILE_EDGE_USED;
            f->pass_at = p->time;
            if (p->time - f->edge_at > LEDGER_IGNORED_NS)
                ledger_count(&f->ignored_edges, 1);
        } else if (ledger_pass_over(b, f, p->time)) {
            if (!ledger_told_of_room(f, p->time))
                ledger_eventless(b, f, p->time);
            f->pass_at = p->time;
        }
    }
    f->flags &= ~FILE_PEEKED;
    f->refused_at = 0; /* somebody takes care of it, told or not */
    f->attempt_at = p->time;
    f->last_read_tid = p->tid;
    return fresh;
}

/* Left over from an earlier pass, untouched for long, and now taken only because other data rang. Not when
 * output of the same file was blocked: then the edge may be its EPOLLOUT, and input was held back meanwhile
 * (an echo server that waits for its peer). */
static __always_inline void ledger_rescue(struct books* b, struct file_row* f, const struct posting* p)
{
    if (f->out_cut_at || f->wrote_at >= f->edge_at)
        return;
    if (!f->left_at || f->armed_at > f->left_at || f->edge_at < f->left_at + LEDGER_RESCUE_NS ||
        p->time - f->edge_at > LEDGER_PASS_NS || ledger_stopped_since(b, p->tid, f->left_at))
        return;
    ledger_count(&f->rescues, 1);
    struct epoll_row* e = books_epoll(b, f->home);
    if (e)
        ledger_count(&e->rescues, 1);
}

/* --- herd: a thread was woken through a file; did it find anything? ------------------------------- */

static __always_inline void ledger_wasted(struct books* b, struct thread_row* t, u64 file)
{
    struct file_row* f = books_file(b, file);
    if (f)
        ledger_count(&f->wasted_wakes, 1);
    t->waste_file = file; /* the CPU it costs is known when the thread is woken again */
}

/*
 * A thread that was not told found something: whoever was told handed it over (pollers that leave accept() to a
 * scheduler), and was woken for a reason. A thread that waits for this file itself needed nobody to tell it.
 */
static __always_inline void ledger_handed(struct books* b, const struct thread_row* t, const struct posting* p)
{
    struct registration_key key = {.epoll = t ? t->epoll : 0, .file = p->file, .fd = p->fd, .pad = 0};
    struct file_row* f = books_file(b, p->file);
    if (f && f->wasted_wakes && (!t || !books_registration(b, &key)))
        ledger_count(&f->wasted_wakes, -1);
}

static __always_inline void ledger_tried(struct books* b, const struct posting* p, bool found)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (!t || t->trying_file != p->file) {
        if (found)
            ledger_handed(b, t, p);
        return;
    }
    t->trying_file = 0;
    if (!found)
        ledger_wasted(b, t, p->file);
}

/* --- calls that sleep on edge-triggered files (EP103) ------------------------------------------------ */

/* Wake-up descriptors are read once per event, if at all: that never sleeps. */
static __always_inline bool ledger_can_hang(const struct file_row* f)
{
    return (f->flags & (FILE_EDGE | FILE_NONBLOCK)) == FILE_EDGE &&
           (f->kind == FILE_TCP || f->kind == FILE_LISTENER || f->kind == FILE_UDP || f->kind == FILE_UNIX ||
            f->kind == FILE_PIPE);
}

/* A call begins that will sleep if there is nothing to do, in a thread that also waits on the file's epoll. */
static __always_inline void ledger_enter(struct books* b, struct file_row* f, const struct posting* p)
{
    struct thread_row* t = ledger_can_hang(f) ? books_thread(b, p->tid) : NULL;
    if (!t || t->waiting || t->epoll != f->home || t->call_file == p->file)
        return;
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    if (x)
        ledger_count(&x->sleep_calls, 1);
    t->call_file = p->file;
    t->call_at = p->time;
    t->call_switches = (u32)p->amount;
}

static __always_inline void ledger_leave(struct books* b, struct file_row* f, const struct posting* p)
{
    struct thread_row* t = ledger_can_hang(f) ? books_thread(b, p->tid) : NULL;
    if (!t || t->call_file != p->file)
        return;
    u64 took = p->time - t->call_at;
    t->call_file = 0;
    if (!(p->flags & POSTING_SLEPT) || took < LEDGER_SLEPT_NS)
        return;
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    if (!x)
        return;
    ledger_count(&x->sleeps, 1);
    x->slept_at = p->time;
    if (took > x->slept_ns)
        x->slept_ns = took;
}

/* --- two threads told of the same input (EP402) ----------------------------------------------------- */

static __always_inline void ledger_duplicate_wasted(struct books* b, struct file_row* f, u64 file)
{
    struct fault_row* x = ledger_fault_row(b, f, file);
    if (x)
        ledger_count(&x->duplicates_wasted, 1);
}

static __always_inline void ledger_duplicate_tried(struct books* b, struct file_row* f, const struct posting* p,
                                                   bool found)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (!t || t->duplicate_file != p->file)
        return;
    t->duplicate_file = 0;
    if (!found)
        ledger_duplicate_wasted(b, f, p->file);
}

/* EP303: does the process still use the file whose registered number it closed? */
static __always_inline void ledger_ghost_used(struct books* b, struct file_row* f, const struct posting* p)
{
    struct fault_row* x = p->tgid == f->tgid ? ledger_fault(b, f, p->file) : NULL;
    if (!x)
        return;
    if (p->fd == x->ghost_fd)
        f->ghost_at = 0; /* dup2() back: the number leads to it again */
    else
        ledger_count(&x->ghost_used, 1);
}

/* --- consuming ----------------------------------------------------------------------------------- */

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

/* --- producing ----------------------------------------------------------------------------------- */

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
