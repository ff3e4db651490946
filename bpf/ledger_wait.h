/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings of waiting, returning and waking. Included by ledger.h. */
#pragma once

static __always_inline void ledger_wait(struct books* b, const struct posting* p)
{
    struct epoll_row* e = ledger_open_epoll(b, p);
    struct thread_row* t = ledger_open_thread(b, p);
    if (!e || !t)
        return;
    ledger_count(&e->waits, 1);
    /* Whoever attaches to or detaches from do_epoll_wait() while it sleeps makes its return skip our fexit
     * (bpf_tramp_image_put() patches the old image to jump to its end): such a gap must not go unnoticed. */
    if (t->waiting && !t->seeded)
        books_stat(b, STAT_RETURNS_MISSED);
    t->seeded = 0;
    if (t->return_at && t->epoll == p->epoll && p->time > t->return_at)
        ledger_count(&e->handling[ledger_bucket(flight_microseconds(p->time - t->return_at))], 1);
    if (t->trying_file && t->trying_sole) /* told of nothing else, and did not even try */
        ledger_wasted(b, t, t->trying_file);
    t->trying_file = 0;
    if (t->duplicate_file) {
        struct file_row* f = books_file(b, t->duplicate_file);
        if (f) /* told together with another thread, and did not even try */
            ledger_duplicate_wasted(b, f, t->duplicate_file);
        t->duplicate_file = 0;
    }
    t->call_file = 0;
    t->accepted = 0;
    if (t->zero_run && p->amount) {
        if (t->zero_run >= LEDGER_BURST && (s32)p->amount > 0) /* without a timeout it waited for no clock */
            t->zero_bursts += 1;
        t->zero_run = 0;
    }
    if (p->amount)
        t->zero_since = 0;
    else if (!t->zero_since)
        t->zero_since = p->time;
    if (t->return_at && t->epoll != p->epoll) {
        ledger_gap_in_another_loop(b, p, e, t);
        t->outer = t->epoll;
    } else {
        ledger_gap(b, p, e, t);
    }
    t->epoll = p->epoll;
    t->wait_at = p->time;
    t->return_at = 0;
    t->nap_wanted = 0;
    t->timeout_ms = (s32)p->amount;
    t->waiting = 1;
}

static __always_inline void ledger_returns_events(struct books* b, const struct posting* p, struct epoll_row* e,
                                                  struct thread_row* t, const struct ledger_batch* batch)
{
    ledger_count(&e->returns, 1);
    if (p->tgid != e->tgid && !books_same_table(b, p, e->tgid))
        ledger_count(&e->foreign_returns, 1);
    ledger_count(&e->events, (u64)p->result);
    ledger_count(&e->batch[ledger_bucket((u64)p->result)], 1);
    if (p->result == p->amount)
        ledger_count(&e->full_batches, 1);
    e->max_asked = (u32)p->amount;
    if (p->data) {
        ledger_count(&e->ready_looks, 1);
        if (p->data >= (u64)p->amount * LEDGER_CROWD) {
            ledger_count(&e->ready_crowded, 1);
            ledger_want(e, STACK_WAIT);
        }
    }
    t->zero_run = 0;
    if (p->result > e->max_events)
        e->max_events = (u32)p->result;
    if (batch->idle && !batch->useful)
        ledger_count(&e->futile_returns, 1);
    e->last_return_at = p->time;
}

/* The time is up. */
static __always_inline void ledger_returns_nothing(const struct posting* p, struct epoll_row* e, struct thread_row* t)
{
    ledger_count(&e->timeouts, 1);
    if (t->timeout_ms == 0) {
        ledger_count(&e->zero_timeouts, 1);
        t->zeros += 1;
        if (t->zeros == LEDGER_ZEROS)
            ledger_want(e, STACK_WAIT);
        t->zero_run += 1;
        t->zero_at = p->time;
        t->zero_cpu = p->cpu;
    }
    ledger_tick(e, t);
}

/* After the events of the return, if there were any. */
static __always_inline void ledger_return(struct books* b, const struct posting* p, struct epoll_row* e,
                                          struct thread_row* t, const struct ledger_batch* batch)
{
    u64 delay = ledger_turn_begins(b, p, t);
    e->polled_at = p->time;
    if (e->polled_tid != p->tid) {
        if (e->polled_tid)
            e->polled_other_at = p->time;
        e->polled_tid = p->tid;
    }
    if (p->result > 0)
        ledger_returns_events(b, p, e, t, batch);
    else if (p->result == 0)
        ledger_returns_nothing(p, e, t);
    else if (p->result == -ERRNO_EINTR)
        ledger_count(&e->interrupts, 1);
    if (t->woken_file) {
        if (p->result <= 0)
            ledger_wasted(b, t, t->woken_file);
        t->woken_file = 0;
    }
    if (t->waiting && t->timeout_ms) {
        u64 waited = p->time - t->wait_at;
        t->timed_ns += waited > delay ? waited - delay : 0;
        t->timed_waits += 1;
    }
    e->polled_timed_ns = t->timed_ns;
    t->epoll = p->epoll;
    t->waiting = 0;
    t->seeded = 0;
    t->return_at = p->time;
    t->returns += 1;
}

static __always_inline void ledger_ready(struct books* b, const struct posting* p)
{
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = books_registration(b, &key);
    if (!r)
        return;
    ledger_count(&r->readies, 1);
    if (p->tgid == r->tgid)
        ledger_count(&r->self_readies, 1);
    if (!r->ready_at)
        r->ready_at = p->time;
}

/*
 * A thread asleep in epoll_wait is woken. On a busy machine the losers of a herd find nothing in
 * ep_send_events() and sleep again without ever leaving the call, so the only witness that a wake-up
 * delivered nothing is the next one.
 */
static __always_inline void ledger_woken(struct books* b, const struct posting* p)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (!t || !t->waiting)
        return;
    ledger_base(t, p);
    if (t->woken_file)
        ledger_wasted(b, t, t->woken_file);
    if (t->waste_file) {
        struct file_row* wasted = books_file(b, t->waste_file);
        if (wasted && p->cpu > t->woken_cpu)
            ledger_count(&wasted->wasted_cpu, p->cpu - t->woken_cpu);
        t->waste_file = 0;
    }
    t->woken_cpu = p->cpu;
    t->woken_file = p->file;
    bool shared = p->file && !(p->flags & POSTING_SOLE); /* one waiter is no herd */
    struct file_row* f = shared ? books_file(b, p->file) : NULL;
    if (f)
        ledger_count(&f->wakes, 1);
    else
        t->woken_file = 0;
}

static __always_inline void ledger_uring(struct books* b, const struct posting* p)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (t)
        t->uring_at = p->time;
}
