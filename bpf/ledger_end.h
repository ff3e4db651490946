/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings of the end of numbers, connections and files. Included by ledger.h. */
#pragma once

/* EP104: told of input and of nothing else, then closed without anybody having touched it. A connection pool
 * closes what only became writable; the peer's close and errors need no read. */
static __always_inline void ledger_closed_unarmed(struct books* b, const struct registration_key* key,
                                                  const struct registration_row* r, const struct file_row* f, u64 now)
{
    if (!(r->flags & REGISTRATION_FIRED) || now - r->fired_at < LEDGER_REARM_NS ||
        !(r->delivered_events & (EV_IN | EV_RDNORM)) || (r->delivered_events & (EV_RDHUP | EV_HUP | EV_ERR)) ||
        f->attempt_at > r->fired_at || f->wrote_at > r->fired_at ||
        ledger_stopped_since(b, r->delivered_tid, r->fired_at))
        return;
    struct epoll_row* e = books_epoll(b, key->epoll);
    if (e)
        ledger_count(&e->unarmed_closes, 1);
}

/* Was it closed because a write found no room, though all that it takes is to wait for some? Not when the peer has gone, or
 * the program had waited, and has had enough of it. It may have been taken out of the epoll before: what counts is the loop
 * that the thread serves. */
static __always_inline void ledger_given_up(struct books* b, const struct file_row* f, const struct posting* p)
{
    if (!f->out_cut_at || f->write_eagain != 1 || !f->bytes_out || (f->flags & FILE_SEEDED) || f->eof_at ||
        f->peer_closed_at || f->last_write_tid != p->tid || (f->kind != FILE_TCP && f->kind != FILE_UNIX))
        return;
    const struct thread_row* t = books_thread(b, p->tid);
    struct epoll_row* e = t && t->wait_at <= f->out_cut_at ? books_epoll(b, t->epoll) : NULL;
    if (e)
        ledger_count(&e->given_up, 1);
}

static __always_inline void ledger_close(struct books* b, const struct posting* p)
{
    struct file_row* f = books_file(b, p->file);
    if (!f)
        return;
    f->closed_at = p->time;
    f->flags |= FILE_CLOSED;
    ledger_record(f, p, p->fd);
    if (!(p->flags & POSTING_LAST)) {
        ledger_ghost(b, f, p);
        return;
    }
    /* The last reference: eventpoll_release_file() takes its registrations with it. Those beyond the
     * newest one are found dead by the sweep. */
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = f->home_fd, .pad = 0};
    struct registration_row* r = f->home ? books_registration(b, &key) : NULL;
    if (r) {
        ledger_closed_unarmed(b, &key, r, f, p->time);
        ledger_forsaken(b, &key, r, f, p->time);
        ledger_drop_registration(b, &key, r, f, true);
    }
    ledger_given_up(b, f, p);
    ledger_exclusive_dropped(b, f, p->file);
    ledger_remove_file(b, f, p->file);
}

static __always_inline void ledger_shutdown(struct books* b, const struct posting* p)
{
    struct file_row* f = books_file(b, p->file);
    if (!f)
        return;
    u16 shut = (p->amount != 1 ? FILE_SHUT_READ : 0) | (p->amount >= 1 ? FILE_SHUT_WRITE : 0); /* RD 0, WR 1, RDWR 2 */
    if (p->result < 0) {
        ledger_call_failed(b, f, p, BETWEEN_OTHER_ERROR, FAILED_OTHER);
    } else if ((f->flags & shut) == shut) {
        f->between |= BETWEEN_IN_VAIN;
    } else {
        f->flags |= shut;
        ledger_count(&f->moves, 1);
    }
    ledger_record(f, p, p->result < 0 ? p->result : p->amount);
}

static __always_inline void ledger_fcntl(struct books* b, const struct posting* p)
{
    struct file_row* f = books_file(b, p->file);
    if (!f || p->result < 0)
        return;
    if (p->flags & POSTING_NONBLOCK)
        f->flags |= FILE_NONBLOCK;
    else
        f->flags &= ~FILE_NONBLOCK;
}

static __always_inline void ledger_peer_closed(struct books* b, const struct posting* p)
{
    struct file_row* f = books_file(b, p->file);
    if (!f)
        return;
    if (!f->peer_closed_at)
        f->peer_closed_at = p->time;
    ledger_record(f, p, 0);
}
