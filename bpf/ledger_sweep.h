/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The sweep's half of the ledger: how long has input been waiting, and which rows deserve a look. The
 * kernel's iterator and replay ask the same questions.
 */
#pragma once

#include "ledger_limits.h"
#include "rows.h"

static __always_inline bool ledger_input_waits(const struct file_state* s)
{
    return s->unread || s->backlog || (s->flags & STATE_EOF_UNREAD) || (u16)s->aux;
}

/*
 * A read that takes the last data takes a FIN that lies in the same buffer along (found_fin_ok in tcp_recvmsg()), and
 * returns the data: the sequence numbers say that all was taken, and the program has not been told of the end. What was
 * read before we looked was not the end, if data has been read since. `s`: as the sweep has read it.
 */
static __always_inline void ledger_end_untold(const struct file_row* f, struct file_state* s)
{
    if (f->kind == FILE_TCP && s->sk_state == SK_CLOSE_WAIT && f->reads && !f->eofs)
        s->flags |= STATE_EOF_UNREAD;
}

/* Since when has there been room for the output that was cut? Whoever sent something meanwhile starts it anew. `x`:
 * faults of the file; there is a row where output was cut and there is room. */
static __always_inline void ledger_refresh_output(const struct file_row* f, struct fault_row* x,
                                                  const struct file_state* s, u64 now)
{
    u32 sent = f->kind == FILE_TCP ? (u32)s->io : 0;
    if (!x)
        return;
    if (!f->out_cut_at || !(s->flags & STATE_WRITABLE)) {
        x->writable_at = 0;
        return;
    }
    if (x->writable_at && x->writable_at >= f->out_cut_at && x->out_token == sent)
        return;
    x->writable_at = now;
    x->out_token = sent;
}

/* Does ledger_refresh() need a row for faults? */
static __always_inline bool ledger_output_waits(const struct file_row* f, const struct file_state* s)
{
    return f->out_cut_at && (s->flags & STATE_WRITABLE);
}

/* What is there to be accepted; of an epoll, whether something in it is ready: a recording is told when that changes. */
static __always_inline u32 ledger_backlog_now(const struct file_row* f, const struct file_state* s)
{
    return f->kind == FILE_EPOLL ? s->io != 0 : s->backlog;
}

/* Since when has the same input been waiting? `x`: faults of the file, NULL: none, and no output waits. */
static __always_inline void ledger_refresh(struct file_row* f, struct fault_row* x, const struct file_state* s, u64 now)
{
    u32 token = f->kind == FILE_TCP ? (u32)(s->io >> 32) : (u32)s->io;
    bool counts = f->kind == FILE_EVENTFD || f->kind == FILE_TIMERFD;
    /* Who adds to a count takes nothing from it. */
    u32 moves = f->kind == FILE_EVENTFD ? f->reads : f->moves;
    f->unread = s->unread;
    f->backlog = ledger_backlog_now(f, s);
    ledger_refresh_output(f, x, s, now);
    if (!ledger_input_waits(s)) {
        f->stuck_at = 0;
        return;
    }
    if (!f->stuck_at || f->stuck_moves != moves || (counts ? token < f->stuck_token : token != f->stuck_token))
        f->stuck_at = now;
    f->stuck_moves = moves;
    f->stuck_token = token;
}

static __always_inline bool ledger_faults_matter(const struct fault_row* x)
{
    return x->sleep_calls || x->late_writes || x->lost_rests || x->exclusive_at || x->mixed || x->clashes ||
           x->clash_misses;
}

/* Something about the file alone that a rule may want to see. `x`: its faults, NULL: none. */
static __always_inline bool ledger_file_matters(const struct file_row* f, const struct fault_row* x,
                                                const struct file_state* s)
{
    if (s->flags & STATE_RCV_SHUTDOWN)
        return true;
    if (f->ghost_at || f->accept_errors || f->duplicates >= LEDGER_FEW || (x && ledger_faults_matter(x)))
        return true;
    return f->out_cut_at || f->rescues || f->left_passes || f->wasted_wakes || f->rearm_errno || f->refused_at;
}

/* Worth showing, and never urgent: what a program does all the time. */
static __always_inline bool ledger_habit_matters(const struct registration_row* r, const struct file_row* f)
{
    return f->kind == FILE_PIPE && r->self_readies >= LEDGER_SELF_READIES;
}

/* EPOLLOUT, level-triggered, on a socket with room, and nothing was written since it was armed. */
static __always_inline bool ledger_armed_in_vain(const struct registration_row* r, const struct file_row* f,
                                                 const struct file_state* s, u64 now)
{
    return (r->mask & EV_OUT) && !(r->mask & (EV_ET | EV_ONESHOT)) && (s->flags & STATE_WRITABLE) &&
           r->armed_at + LEDGER_ARMED_NS < now && f->wrote_at + LEDGER_ARMED_NS < now;
}

/* EPOLLOUT is asked for and there is no room: output is pending, whether we saw it cut short or not. */
static __always_inline bool ledger_output_pending(const struct registration_row* r, const struct file_row* f,
                                                  const struct file_state* s)
{
    return (f->kind == FILE_TCP || f->kind == FILE_UNIX) && (r->mask & EV_OUT) && (s->flags & STATE_STREAM) &&
           !(s->flags & STATE_WRITABLE);
}

/* Input waits that this registration does not ask for. A listener that is paused is asked nothing of; one that is asked
 * for room to write was meant to tell of connections. */
static __always_inline bool ledger_unasked(const struct registration_row* r, const struct file_row* f,
                                           const struct file_state* s)
{
    if (f->kind == FILE_LISTENER)
        return s->backlog && (r->mask & EV_OUT) && !(r->mask & (EV_IN | EV_RDNORM));
    return (f->kind == FILE_TCP || f->kind == FILE_UNIX) && s->unread && !(r->mask & (EV_IN | EV_RDNORM));
}

/* The connection stands, and nothing that this registration asks for says so. */
static __always_inline bool ledger_connect_untold(const struct registration_row* r, const struct file_row* f,
                                                  const struct file_state* s)
{
    const u16 asked = FILE_CONNECTING | FILE_CONNECT_ASKED;
    return (f->flags & asked) == asked && s->sk_state == SK_ESTABLISHED && !(r->mask & EV_OUT);
}

/*
 * Since when has a client been on the ready list without being fetched? No loop that runs leaves one there (EP404). 0: it is
 * none, or it is the one being handled. Who accepts one connection leaves the others of the backlog to the next turn.
 */
static __always_inline u64 ledger_kept_since(const struct registration_row* r, const struct file_row* f)
{
    if (f->kind != FILE_TCP && f->kind != FILE_LISTENER && f->kind != FILE_UDP)
        return 0;
    if (r->ready_at && f->attempt_at < r->ready_at)
        return r->ready_at;
    bool others = f->kind == FILE_LISTENER && f->attempt_at >= r->delivered_at;
    return others || (!r->delivered_at && !r->ready_at) ? f->stuck_at : 0;
}

static __always_inline bool ledger_kept_long(const struct registration_row* r, const struct file_row* f, u64 now)
{
    u64 since = ledger_kept_since(r, f);
    return since && since + LEDGER_KEPT_NS < now;
}

/* Of these files nothing tells what was taken. That one is reported all the time is all that can be said, and is. */
static __always_inline bool ledger_reported_unseen(const struct registration_row* r, const struct file_row* f)
{
    return f->kind == FILE_OTHER && !(r->mask & (EV_ET | EV_ONESHOT)) && r->deliveries >= LEDGER_UNSEEN_REPORTS;
}

static __always_inline bool ledger_registration_matters(const struct registration_row* r, const struct file_row* f,
                                                        const struct file_state* s, bool ready, u64 now)
{
    if (r->run >= 64 || r->best_run >= 64 || r->flips || ledger_reported_unseen(r, f))
        return true;
    if (((r->mask & EV_EXCLUSIVE) && s->backlog) || ledger_armed_in_vain(r, f, s, now))
        return true;
    if (ledger_output_pending(r, f, s) || ledger_connect_untold(r, f, s) || (!ready && ledger_unasked(r, f, s)))
        return true;
    if (f->kind == FILE_EPOLL) /* edge-triggered, and what is ready in it was not all fetched */
        return s->io && !ready && (r->mask & EV_ET) && !(r->flags & REGISTRATION_FIRED);
    if (!ledger_input_waits(s))
        return false;
    /* A ONESHOT may have fired without the books knowing whose event it was. */
    return ready ? ledger_kept_long(r, f, now) : (r->mask & (EV_ET | EV_ONESHOT)) || (r->flags & REGISTRATION_FIRED);
}

/* A program that takes a registration off and puts it back (nginx its listener, every 16 accepts) loses
 * nothing: the file keeps its own past. */
static __always_inline bool ledger_past_matters(const struct registration_row* r, const struct file_row* f,
                                                const struct fault_row* x, bool file_dies)
{
    if (r->best_run >= LEDGER_RUN)
        return true;
    if (!file_dies || !f)
        return false;
    return f->rescues || f->left_passes || f->wasted_wakes ||
           (x && (x->late_writes || x->lost_rests || x->sleeps || x->duplicates_wasted || x->mixed || x->clashes));
}
