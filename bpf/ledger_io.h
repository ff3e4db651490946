/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the program does with its readiness, whichever call it makes: passes, herds, sleeps, duplicates. Included by ledger.h. */
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

/*
 * Whatever is ready is reported again by this: a listener's backlog is not left to chance. And whoever asks, with the mask
 * that it has, for an edge that it left long ago knows of it (a timer of another thread that gives a client its next share).
 */
static __always_inline void ledger_asked_again(struct books* b, struct file_row* f, const struct registration_row* r,
                                               const struct posting* p)
{
    u64 left = f->flags & FILE_EDGE_USED ? f->left_at : f->edge_at;
    f->left_passes = 0;
    if ((f->flags & FILE_EDGE) && r->mask == p->mask && !(p->mask & EV_ONESHOT) && left && left >= f->edge_at &&
        p->time - left > LEDGER_PASS_NS)
        ledger_eventless(b, f, p->time);
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
