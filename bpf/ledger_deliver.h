/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings of delivery, and with them the verdict of futility. Included by ledger.h. */
#pragma once

static __always_inline void ledger_begin_batch(struct ledger_batch* batch, const struct thread_row* t)
{
    batch->useful = 0;
    batch->idle = 0;
    batch->woken_file = t ? t->woken_file : 0;
}

/*
 * Input was reported, and the program found none: somebody else had taken it, and what is reported now has come since.
 * The tokens of these kinds may be the same again by chance (a head skb at the address of the one before, a count or a
 * backlog as it was); those of TCP and pipes never are. A socket whose receiving half is shut reports input for
 * ever, and a signalfd may be asked about another process's signals.
 */
static __always_inline bool ledger_found_empty(const struct file_row* f, const struct registration_row* r,
                                               const struct posting* p)
{
    if (!(f->between & BETWEEN_READ_EAGAIN) || !(r->delivered_events & (EV_IN | EV_RDNORM)) ||
        (r->delivered_events & (EV_ERR | EV_HUP | EV_RDHUP)))
        return false;
    if ((p->state.flags & STATE_RCV_SHUTDOWN) || (f->flags & FILE_SHUT_READ))
        return false;
    return f->kind == FILE_UDP || f->kind == FILE_UNIX || f->kind == FILE_LISTENER || f->kind == FILE_EVENTFD ||
           f->kind == FILE_TIMERFD;
}

/*
 * Did anybody do anything about this file since its last delivery? Progress is a change of kernel
 * state, whoever made it and however (read, splice, io_uring, another process). `moves` counts what the
 * ledger itself saw; the rest is read from the kernel. Where we cannot know, the answer is yes.
 */
static __always_inline bool ledger_progressed(const struct file_row* f, const struct registration_row* r,
                                              const struct posting* p)
{
    if (!r->deliveries || f->moves != r->token_moves)
        return true;
    if (f->kind == FILE_UNKNOWN || f->kind == FILE_OTHER)
        return true;
    if (f->kind == FILE_EPOLL) /* somebody waited on it, or used a file in it */
        return !(p->flags & POSTING_STATE) || (p->flags & POSTING_BLIND) || !p->state.io || p->state.io != r->token_io;
    if (!(p->flags & POSTING_STATE))
        return (p->flags & POSTING_BLIND) || ledger_found_empty(f, r, p);
    if (ledger_found_empty(f, r, p))
        return true;
    switch (f->kind) {
    case FILE_TCP:
        return p->state.io != r->token_io || (u16)p->state.aux < (u16)r->token_aux ||
               (u32)(p->state.aux >> 16) < (u32)(r->token_aux >> 16);
    case FILE_LISTENER: return p->state.backlog < r->token_backlog;
    case FILE_UDP:
    case FILE_UNIX: /* a new head means that the old one was taken, unless there was none */
        return (r->token_io && p->state.io != r->token_io) || (u16)p->state.aux < (u16)r->token_aux ||
               (u32)(p->state.aux >> 16) < (u32)(r->token_aux >> 16);
    case FILE_PIPE: /* the reader moves the tail, the writer the head: only the own side is progress */
        return p->mask & EV_OUT ? p->state.io >> 32 != r->token_io >> 32 : (u32)p->state.io != (u32)r->token_io;
    default: /* eventfd: count, timerfd: ticks */ return p->state.io < r->token_io;
    }
}

/* A ring may have taken the message whose address is that of the next one now. */
static __always_inline bool ledger_may_be_taken(struct books* b, const struct file_row* f,
                                                const struct registration_row* r, const struct posting* p)
{
    if (f->kind != FILE_UDP && f->kind != FILE_UNIX)
        return false;
    const struct thread_row* t = books_thread(b, p->tid);
    return t && t->uring_at > r->delivered_at;
}

/* Re-armed by another thread, a wake-up descriptor that nobody reads is a call of that thread (asio's interrupter). */
static __always_inline bool ledger_calls_by_rearm(const struct file_row* f, const struct registration_row* r, u32 tid)
{
    return (f->kind == FILE_EVENTFD || f->kind == FILE_PIPE) && r->ctl_tid != tid;
}

/* An edge is news by itself, and so is the answer to a re-arm, except that HUP, ERR and EOF come back at each re-arm for
 * ever. But ONESHOT is re-armed by whoever has done what it was told to do: one that did nothing, and asks again, spins. */
static __always_inline bool ledger_repeats(const struct file_row* f, const struct registration_row* r,
                                           const struct posting* p)
{
    if (r->mask & EV_ONESHOT)
        return !ledger_calls_by_rearm(f, r, p->tid);
    if (!(r->mask & EV_ET))
        return true;
    return (r->flags & REGISTRATION_REARMED) && ((p->mask & (EV_HUP | EV_ERR | EV_RDHUP)) || f->eof_at);
}

static __always_inline void ledger_edge(struct books* b, struct file_row* f, const struct posting* p)
{
    if (f->edge_at && !(f->flags & FILE_EDGE_USED) && f->unread && p->time - f->edge_at > LEDGER_IGNORED_NS &&
        !ledger_stopped_since(b, p->tid, f->edge_at))
        ledger_count(&f->ignored_edges, 1);
    if (f->kind == FILE_LISTENER && (f->flags & FILE_EDGE_USED)) {
        bool left = f->pass_accepts && f->backlog && !(f->flags & FILE_SAW_EAGAIN);
        if (!left)
            f->left_passes = 0;
        else if (f->backlog_at && p->time - f->backlog_at >= LEDGER_RESCUE_NS &&
                 !ledger_stopped_since(b, p->tid, f->backlog_at))
            ledger_count(&f->left_passes, 1);
    }
    f->edge_at = p->time;
    f->pass_accepts = 0;
    f->flags &= ~(FILE_EDGE_USED | FILE_SAW_EAGAIN);
    if (!(p->flags & POSTING_STATE))
        return;
    f->unread = p->state.unread;
    if (!f->peer_closed_at && (p->state.flags & STATE_RCV_SHUTDOWN) && !(f->flags & FILE_SHUT_READ))
        f->peer_closed_at = p->time; /* at the latest: nobody saw it come */
}

static __always_inline void ledger_count_events(struct registration_row* r, u32 events)
{
    ledger_count(&r->deliveries, 1);
    if (events & (EV_IN | EV_RDNORM | EV_PRI))
        ledger_count(&r->delivered_in, 1);
    if (events & EV_OUT)
        ledger_count(&r->delivered_out, 1);
    if (events & (EV_HUP | EV_ERR))
        ledger_count(&r->delivered_hup, 1);
}

static __always_inline void ledger_fire(struct epoll_row* e, struct registration_row* r, u64 now)
{
    if (!(r->mask & EV_ONESHOT))
        return;
    r->fired_at = now;
    r->flags |= REGISTRATION_FIRED;
    e->last_fired_at = now;
    ledger_count(&e->fired, 1);
}

static __always_inline void ledger_latency(struct epoll_row* e, struct registration_row* r, u64 now)
{
    if (r->ready_at && now > r->ready_at)
        ledger_count(&e->latency[ledger_bucket(flight_microseconds(now - r->ready_at))], 1);
    r->ready_at = 0;
}

static __always_inline void ledger_herd_delivered(struct books* b, const struct posting* p,
                                                  const struct ledger_batch* batch)
{
    if (batch->woken_file != p->file)
        return;
    struct thread_row* t = books_thread(b, p->tid);
    if (!t)
        return;
    t->woken_file = 0;
    t->trying_file = p->file;
    t->trying_sole = !!(p->flags & POSTING_SOLE);
}

/* EP402. Level-triggered input goes back to the ready list as it is delivered: with two threads waiting, the second
 * is told of what the first has not touched yet. Wake-up descriptors may want to wake several. */
static __always_inline void ledger_duplicate(struct books* b, struct file_row* f, const struct registration_row* r,
                                             const struct posting* p)
{
    if (f->kind != FILE_TCP && f->kind != FILE_UNIX && f->kind != FILE_UDP && f->kind != FILE_PIPE)
        return;
    if (!(p->mask & (EV_IN | EV_RDNORM)) || p->state.unread != r->delivered_unread)
        return;
    struct thread_row* first = books_thread(b, r->delivered_tid);
    struct thread_row* second = books_thread(b, p->tid);
    if (!first || !second || first->waiting || first->epoll != p->epoll)
        return;
    if (first->tgid != second->tgid) /* an epoll that processes share is another matter (EP503) */
        return;
    ledger_count(&f->duplicates, 1);
    first->duplicate_file = p->file;
    second->duplicate_file = p->file;
}

static __always_inline void ledger_ghost_told(struct books* b, const struct file_row* f,
                                              const struct registration_key* key, const struct posting* p)
{
    struct fault_row* x = ledger_ghost_of(b, f, key->epoll, key->file, key->fd);
    if (x && p->tgid == f->tgid &&
        p->time - f->ghost_at > LEDGER_PASS_NS) /* else it may have been in the batch already */
        ledger_count(&x->ghost_told, 1);
}

/* An event that is idle, or not: the run of its registration goes on, or ends. */
static __always_inline void ledger_judged(struct books* b, const struct file_row* f, const struct registration_key* key,
                                          struct registration_row* r, const struct posting* p, bool idle)
{
    if (!idle) {
        r->flags &= ~REGISTRATION_IDLE;
        if (r->run)
            ledger_end_run(b, key, r);
        return;
    }
    struct run_row* x = ledger_run_row(b, key, r);
    if (!x)
        return;
    r->flags |= REGISTRATION_IDLE;
    if (!r->run)
        ledger_begin_run(x);
    x->events |= p->mask;
    bool at_end = (p->state.flags & STATE_RCV_SHUTDOWN) && !p->state.unread;
    ledger_note_calls(&x->calls, f->between | (at_end ? RETURN_AT_END : 0));
}

/* What the next event of this registration is compared with. */
static __always_inline void ledger_told(struct file_row* f, struct registration_row* r, const struct posting* p)
{
    ledger_count_events(r, p->mask);
    r->delivered_at = p->time;
    r->delivered_tid = p->tid;
    r->delivered_events = p->mask;
    r->flags = (r->flags & ~REGISTRATION_REARMED) | REGISTRATION_KNOWN;
    r->token_io = p->state.io;
    r->token_aux = p->state.aux;
    r->token_moves = f->moves;
    r->token_backlog = p->state.backlog;
    r->delivered_unread = p->state.unread;
    f->between = 0;
}

/* One event of a return. `key` was found by its data. */
static __always_inline void ledger_deliver(struct books* b, const struct posting* p, struct epoll_row* e,
                                           struct file_row* f, const struct registration_key* key,
                                           struct ledger_batch* batch)
{
    struct registration_row* r = books_registration(b, key);
    if (!r || !f) {
        ledger_unplaced(b, p, e, batch);
        return;
    }
    r->flags &= ~REGISTRATION_SHARED;
    bool idle = !ledger_progressed(f, r, p) && ledger_repeats(f, r, p) && !ledger_may_be_taken(b, f, r, p);
    if (idle)
        batch->idle = 1;
    else
        batch->useful = 1;
    ledger_judged(b, f, key, r, p, idle);
    if (idle && r->delivered_tid != p->tid && !(r->mask & (EV_ET | EV_ONESHOT)))
        ledger_duplicate(b, f, r, p);
    if (p->mask & EV_OUT)
        f->out_told_at = p->time;
    if (p->mask & (EV_OUT | EV_ERR | EV_HUP))
        f->flags &= ~FILE_CONNECTING;
    if (f->ghost_at)
        ledger_ghost_told(b, f, key, p);
    ledger_kept_waiting(e, r, f, p);
    ledger_latency(e, r, p->time);
    ledger_fire(e, r, p->time);
    if ((r->mask & EV_ET) && (p->mask & (EV_IN | EV_RDNORM | EV_RDHUP | EV_HUP | EV_ERR)))
        ledger_edge(b, f, p);
    if ((p->mask & EV_RDHUP) && !f->eof_at) {
        f->eof_at = p->time;
        f->flags |= FILE_TOLD_RDHUP;
    }
    if (p->mask & EV_OUT) /* whoever is told that there is room may send the rest, from wherever it has it */
        f->cut_tid = 0;
    ledger_foreign_event(b, p, e, r, key, f->kind);
    ledger_ask_reached(b, p, e, f, r, key);
    ledger_told(f, r, p);
    if (f->wakes)
        ledger_herd_delivered(b, p, batch);
    ledger_record(f, p, p->mask);
}

/* Second look, only when something was idle: a return is futile when nothing in it made progress. */
static __always_inline void ledger_settle(struct books* b, const struct posting* p, const struct registration_key* key,
                                          const struct ledger_batch* batch)
{
    struct registration_row* r = books_registration(b, key);
    if (!r || !(r->flags & REGISTRATION_IDLE))
        return;
    r->flags &= ~REGISTRATION_IDLE;
    if (batch->useful) { /* rides along with useful events: costs nothing */
        ledger_end_run(b, key, r);
        return;
    }
    struct run_row* x = ledger_run(b, key, r);
    if (!x)
        return;
    const struct thread_row* t = books_thread(b, p->tid);
    if (t && r->run && t->uring_at >= x->last_at)
        x->calls.after[LEDGER_URING_SLOT] += 1;
    if (!r->run) {
        x->at = p->time;
        x->cpu = p->cpu;
        x->spent = 0;
    }
    u64 spent = p->cpu > x->cpu ? p->cpu - x->cpu : 0;
    if (r->run + 1 == LEDGER_RUN) { /* from now on it counts, all of it */
        x->futile += LEDGER_RUN;
        x->futile_ns += p->time - x->at;
        x->futile_cpu += spent;
    } else if (r->run >= LEDGER_RUN) {
        x->futile += 1;
        x->futile_ns += p->time - x->last_at;
        x->futile_cpu += spent > x->spent ? spent - x->spent : 0;
    }
    r->run += 1;
    x->last_at = p->time;
    x->spent = spent;
}
