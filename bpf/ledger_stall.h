/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * How long did nobody poll an epoll while its sockets were ready, and what did its thread do meanwhile (EP404)?
 * Included by ledger.h.
 *
 * A healthy loop pays two comparisons per return: a thread's usage (CPU time, time spent waiting for a CPU) is
 * read when it is woken in epoll_wait, when the last reading is old, and at the end of a long gap. Between
 * returns, whatever is neither CPU nor waiting for one is sleep; the wake-up that ends it names the call.
 */
#pragma once

/* The next call of this role, by whatever thread, leaves its user stack. */
static __always_inline void ledger_want(struct epoll_row* e, u32 role)
{
    if (!((e->stacks_wanted | e->stacks_taken) & role))
        e->stacks_wanted |= role;
}

static __always_inline void ledger_base(struct thread_row* t, const struct posting* p)
{
    t->base_at = p->time;
    t->base_cpu = p->cpu;
    t->base_delay = p->delay;
    t->naps_ns = 0;
    t->nap_ns = 0;
    t->stopped_ns = 0;
}

/* How long has this thread, now woken outside epoll_wait, been asleep? Only ever called for a sleeping thread,
 * whose CPU time is exact. Softirq time may be missing from it, hence the upper bound. */
static __always_inline u64 ledger_slept(const struct thread_row* t, const struct posting* p)
{
    if (!t->base_at || !t->return_at || p->cpu < t->base_cpu || p->delay < t->base_delay)
        return 0;
    u64 elapsed = p->time - t->base_at;
    u64 known = (p->cpu - t->base_cpu) + (p->delay - t->base_delay) + t->naps_ns + t->stopped_ns;
    u64 slept = elapsed > known ? elapsed - known : 0;
    u64 turn = p->time - t->return_at;
    return slept < turn ? slept : turn;
}

static __always_inline void ledger_blocked(struct books* b, const struct posting* p)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (!t)
        return;
    if (p->flags & POSTING_STOPPED) {
        t->stopped_ns += (u64)p->result;
        /* A tracer of system calls stops it all the time, for a moment each. Where no base is known, neither is how long. */
        if (!t->base_at || !t->return_at || p->result >= (s64)LEDGER_STOP_NS)
            t->stopped_at = p->time;
        return;
    }
    if (t->waiting || p->result <= 0)
        return;
    t->naps_ns += (u64)p->result;
    if ((u64)p->result > t->nap_ns) {
        t->nap_ns = (u64)p->result;
        t->nap_call = (s32)p->amount;
        t->nap_until = p->time;
    }
}

/* The sweep asked how its thread stands: what lasts has no wake-up yet. */
static __always_inline void ledger_thread_seen(struct thread_row* t, bool stopped, u64 now)
{
    t->stopped = stopped;
    if (stopped)
        t->stopped_at = now;
}

/* Before the return is booked: how much this thread has used so far. Says for how long it waited for a CPU since it was woken, if
 * that was long. */
static __always_inline u64 ledger_turn_begins(struct books* b, const struct posting* p, struct thread_row* t)
{
    t->batch = p->result > 0 ? (u32)p->result : 0;
    if (p->time - t->base_at <= LEDGER_BASE_NS)
        return 0;
    books_usage(b, p);
    u64 delay = t->waiting && t->base_at > t->wait_at && p->delay > t->base_delay ? p->delay - t->base_delay : 0;
    ledger_base(t, p);
    return delay;
}

/* For how much of a gap did the thread wait for a CPU, if for most of it? 0: it did not, or this kernel does not count it
 * (delay_of()). */
static __always_inline u64 ledger_starved(const struct posting* p, const struct thread_row* t, u64 gap)
{
    u64 delay = t->base_at && p->delay > t->base_delay ? p->delay - t->base_delay : 0;
    if (delay < gap / 2 || p->delay + p->cpu == p->time)
        return 0;
    return delay < gap ? delay : gap;
}

/* A gap since `from`, for so much of which its thread is to answer. `turn`: the return with which it began. */
static __always_inline void ledger_away(struct epoll_row* e, const struct posting* p, u64 turn, u64 from, u64 gap)
{
    e->away_turn = turn;
    e->away_counted = 0;
    e->away_from = from;
    e->away_until = p->time;
    e->away_ns = gap;
    e->away_tid = p->tid;
    e->away_kept = 0;
}

/*
 * A thread is about to wait, and comes from another epoll. A loop that is run within a handler (Node's execFileSync) keeps
 * all that the outer one serves waiting, as a blocking call does. Looking into another epoll (timeout 0) takes no time; a
 * wait there that was long because its thread had no CPU, or was stopped, is nobody's fault.
 */
static __always_inline void ledger_gap_in_another_loop(struct books* b, const struct posting* p, struct epoll_row* e,
                                                       const struct thread_row* t)
{
    u64 from = e->polled_at;
    if (!from || e->polled_tid != p->tid || p->time < from + LEDGER_STALL_NS || t->stopped_at >= from ||
        t->timed_ns < e->polled_timed_ns + LEDGER_STALL_NS)
        return;
    books_usage(b, p);
    u64 gap = p->time - from;
    u64 delay = t->base_at && p->delay > t->base_delay ? p->delay - t->base_delay
                                                       : 0; /* since its newest wake-up there */
    u64 waited = t->timed_ns - e->polled_timed_ns;
    waited = waited > delay ? waited - delay : 0;
    if (waited > gap)
        waited = gap;
    if (waited < LEDGER_STALL_NS || waited < gap / 2)
        return;
    ledger_away(e, p, from, from, waited);
    e->away_nap_until = t->return_at;
    e->away_nap_ns = waited;
    e->away_cpu_ns = 0;
    e->away_delay_ns = 0;
    e->away_call = AWAY_IN_ANOTHER_LOOP;
    e->away_batch = 0;
}

/*
 * A thread is about to wait where it waited before, and it was away for long. A gap in which it was mostly stopped is
 * nobody's fault; one in which it mostly waited for a CPU is the machine's; a gap made of many short handlers is load.
 */
static __always_inline void ledger_gap(struct books* b, const struct posting* p, struct epoll_row* e,
                                       const struct thread_row* t)
{
    u64 from = e->polled_at > t->return_at ? e->polled_at : t->return_at;
    if (!t->return_at || p->time < from + LEDGER_STALL_NS)
        return;
    books_usage(b, p);
    u64 gap = p->time - from;
    u64 cpu = t->base_cpu && p->cpu > t->base_cpu ? p->cpu - t->base_cpu : 0;
    u64 busy = t->naps_ns + cpu;
    u64 starved = busy < gap / 2 ? ledger_starved(p, t, gap) : 0;
    if (busy < gap / 2 && !starved)
        return;
    if (starved)
        gap = starved;
    else if (busy < gap)
        gap = busy;
    if (gap < LEDGER_STALL_NS || (!starved && t->nap_ns < LEDGER_NAP_NS && gap < t->batch * LEDGER_SLOW_NS))
        return;
    ledger_away(e, p, t->return_at, from, gap);
    e->away_nap_until = t->nap_until;
    e->away_nap_ns = t->nap_ns;
    e->away_cpu_ns = cpu;
    e->away_delay_ns = starved;
    e->away_call = t->nap_ns ? t->nap_call : -1;
    e->away_batch = t->batch;
}

/* The gap kept a ready socket waiting, and its thread had no CPU. */
static __always_inline void ledger_was_starved(struct epoll_row* e)
{
    ledger_count(&e->starves, 1);
    if (e->away_delay_ns <= e->starve_ns)
        return;
    e->starve_until = e->away_until;
    e->starve_ns = e->away_delay_ns;
    e->starve_tid = e->away_tid;
}

/* The gap kept enough ready sockets waiting: it counts. */
static __always_inline void ledger_stalled(struct epoll_row* e)
{
    ledger_count(&e->stalls, 1);
    ledger_count(&e->stalled_ns, e->away_ns);
    if (e->away_nap_ns >= LEDGER_NAP_NS)
        ledger_count(&e->stalls_asleep, 1);
    if (e->away_ns <= e->stall_ns)
        return;
    ledger_want(e, STACK_WAIT);
    if (e->away_nap_ns >= LEDGER_NAP_NS && (!(e->stacks_taken & STACK_BLOCKED) || e->away_call != e->stall_call))
        e->stacks_wanted |= STACK_BLOCKED;
    e->stall_from = e->away_from;
    e->stall_until = e->away_until;
    e->stall_ns = e->away_ns;
    e->stall_nap_ns = e->away_nap_ns;
    e->stall_cpu_ns = e->away_cpu_ns;
    e->stall_call = e->away_call;
    e->stall_tid = e->away_tid;
    e->stall_batch = e->away_batch;
}

static __always_inline bool ledger_input_of(const struct posting* p)
{
    return !(p->flags & POSTING_STATE) || p->state.unread || p->state.backlog || (p->state.flags & STATE_EOF_UNREAD);
}

static __always_inline bool ledger_client(const struct file_row* f, const struct posting* p)
{
    return (f->kind == FILE_TCP || f->kind == FILE_LISTENER || f->kind == FILE_UDP) &&
           (p->mask & (EV_IN | EV_RDNORM | EV_RDHUP));
}

/* `alone`: it is evidence without a second one. */
static __always_inline void ledger_keep(struct epoll_row* e, u32 clients, bool alone)
{
    bool starved = e->away_delay_ns != 0;
    e->away_kept += clients;
    if (!e->away_counted && (starved || alone || e->away_kept >= 2)) {
        e->away_counted = 1;
        if (starved)
            ledger_was_starved(e);
        else
            ledger_stalled(e);
    }
    if (starved && e->starve_until == e->away_until)
        e->starve_kept = e->away_kept;
    else if (e->stall_until == e->away_until)
        e->stall_kept = e->away_kept;
}

/*
 * Computing for one client while one other waits is how a loop works. Sleeping in one call while one other waits is
 * not, if it became ready meanwhile, is not the one being handled (not in the batch, and nothing was read from it,
 * written to it or armed for it since), and nobody but this thread polls. With one client in all there is no other.
 */
static __always_inline bool ledger_kept_alone(const struct epoll_row* e, const struct registration_row* r,
                                              const struct file_row* f)
{
    if (e->clients < 2 || e->away_nap_ns < LEDGER_STALL_NS || r->ready_at < e->away_from)
        return false;
    u64 asleep_at = e->away_nap_until - e->away_nap_ns;
    u64 since = r->ready_at > asleep_at ? r->ready_at : asleep_at;
    if (since + LEDGER_STALL_NS > e->away_nap_until)
        return false;
    if (e->polled_other_at && e->polled_other_at + LEDGER_POLLED_NS > e->away_from)
        return false;
    u64 turn = e->away_turn;
    return r->delivered_at < turn && r->armed_at < turn && f->attempt_at < turn && f->wrote_at < turn;
}

/*
 * An event is delivered: was it there during the newest gap? Only what clients wait for counts: a UNIX socket may
 * be a thread's own wake-up pair. Input that somebody tried to take since it came is not the same input any more.
 */
static __always_inline void ledger_kept_waiting(struct epoll_row* e, const struct registration_row* r,
                                                const struct file_row* f, const struct posting* p)
{
    if (!r->ready_at || r->ready_at >= e->away_until)
        return;
    u64 since = r->ready_at > e->away_from ? r->ready_at : e->away_from;
    if (!ledger_client(f, p) || since + LEDGER_STALL_NS > e->away_until || f->attempt_at >= r->ready_at ||
        !ledger_input_of(p))
        return;
    /* Two connections in a backlog are two clients. */
    ledger_keep(e, f->kind == FILE_LISTENER && p->state.backlog > 1 ? 2 : 1, ledger_kept_alone(e, r, f));
}

/*
 * The same where nobody saw when input came (POSTING_KEPT; user space alone calls this): whoever posts it vouches for
 * the input, but only the books know whether the gap before this wait was long enough. A loop that takes one event at a
 * time is told of the second client by a later wait.
 */
static __always_inline void ledger_kept_unseen(struct books* b, struct epoll_row* e, const struct file_row* f,
                                               const struct posting* p)
{
    const struct thread_row* t = books_thread(b, p->tid);
    if (t && e->away_until && e->away_until <= t->wait_at && t->wait_at - e->away_until <= e->away_ns / 10 &&
        e->away_tid == p->tid && ledger_client(f, p))
        ledger_keep(e, 1, false);
}

/* A wait that timed out: a clock, or a poll for something that could have woken it (EP605)? */
static __always_inline void ledger_tick(struct epoll_row* e, const struct thread_row* t)
{
    if (t->timeout_ms <= 0 || t->timeout_ms > LEDGER_TICK_MS)
        return;
    ledger_count(&e->short_timeouts, 1);
    if (e->tick_ms == t->timeout_ms)
        ledger_count(&e->ticks, 1);
    if (e->ticks >= LEDGER_TICKS)
        ledger_want(e, STACK_WAIT);
    e->tick_ms = t->timeout_ms;
}
