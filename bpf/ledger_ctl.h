/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings that change the interest list, and the end of files. Included by ledger.h. */
#pragma once

static __always_inline void ledger_rearmed(struct epoll_row *e, struct registration_row *r, u64 now)
{
    if (!(r->flags & REGISTRATION_FIRED))
        return;
    ledger_count(&e->rearms, 1);
    if (now - r->fired_at <= LEDGER_REARM_NS)
        ledger_count(&e->rearms_fast, 1);
    r->flags &= ~REGISTRATION_FIRED;
    r->fired_at = 0;
}

static __always_inline void ledger_set_home(struct file_row *f, const struct registration_key *key, u32 mask)
{
    f->home = key->epoll;
    f->home_fd = key->fd;
    if (mask & EV_ET)
        f->flags |= FILE_EDGE;
    else
        f->flags &= ~FILE_EDGE;
}

/* A registration that exists: by ADD, by the seed, or by a MOD of one that we had not known. */
static __always_inline struct registration_row *ledger_open_registration(struct books *b, const struct posting *p,
                                                                         const struct registration_key *key)
{
    struct registration_row *r = books_registration(b, key);
    if (r) /* same epoll, file and number: the old one must be gone, or ADD had said EEXIST */
        ledger_drop_registration(b, key, r, books_file(b, key->file), false);
    ledger_evict_dead(b, key->epoll, p->data, key);
    r = books_add_registration(b, key);
    if (!r)
        return NULL;
    r->data = p->data;
    r->mask = p->mask;
    r->added_at = p->time;
    r->armed_at = p->time;
    r->ctl_tid = p->tid;
    ledger_index_add(b, key, p->data);
    struct epoll_row *e = books_epoll(b, key->epoll);
    if (e)
        ledger_count(&e->registrations, 1);
    return r;
}

static __always_inline void ledger_add(struct books *b, const struct posting *p)
{
    struct epoll_row *e = ledger_open_epoll(b, p);
    if (!e)
        return;
    if (p->result < 0) {
        ledger_count(&e->ctl_errors, 1);
        return;
    }
    struct file_row *f = ledger_open_file(b, p);
    if (!f)
        return;
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row *r = ledger_open_registration(b, p, &key);
    if (!r)
        return;
    if (p->kind == POSTING_SEEDED) {
        r->flags |= REGISTRATION_SEEDED;
        f->flags |= FILE_SEEDED;
    } else {
        r->flags |= REGISTRATION_KNOWN;
        f->armed_at = p->time;
        ledger_record(f, p, p->mask & 0x7fff);
    }
    /* A new registration starts a new life of edges; what is unread now will be reported at once. */
    f->edge_at = 0;
    f->left_at = 0;
    f->left_passes = 0;
    f->flags &= ~(FILE_EDGE_USED | FILE_SAW_EAGAIN);
    ledger_set_home(f, &key, p->mask);
    f->rearm_errno = 0; /* MOD = ENOENT, then ADD: resolved (libevent, photon, facil.io) */
}

static __always_inline void ledger_mod_failed(struct epoll_row *e, struct file_row *f, const struct posting *p)
{
    ledger_count(&e->ctl_errors, 1);
    if (!f)
        return;
    f->rearm_errno = (u32)-p->result;
    f->between |= BETWEEN_MOD;
    ledger_record(f, p, p->result);
}

static __always_inline void ledger_mod(struct books *b, const struct posting *p)
{
    struct epoll_row *e = ledger_open_epoll(b, p);
    struct file_row *f = books_file(b, p->file);
    if (!e)
        return;
    if (p->result < 0) {
        ledger_mod_failed(e, f, p);
        return;
    }
    if (!f) {
        f = ledger_open_file(b, p);
        if (f) /* registered before we looked: an edge may have come already */
            f->flags |= FILE_SEEDED;
    }
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row *r = books_registration(b, &key);
    if (!r)
        r = ledger_open_registration(b, p, &key);
    if (!f || !r)
        return;
    if (r->data != p->data) {
        ledger_index_remove(b, &key, r->data);
        ledger_evict_dead(b, key.epoll, p->data, &key);
        ledger_index_add(b, &key, p->data);
        r->data = p->data;
    }
    ledger_rearmed(e, r, p->time);
    /* Fewer wanted bits is progress; the same or a larger mask is not (fibers #19 spins with a MOD each
     * turn). HUP and ERR cannot be masked. */
    if (r->run_events & ~(p->mask | EV_ERR | EV_HUP))
        ledger_end_run(r);
    r->mask = p->mask;
    r->armed_at = p->time;
    r->ctl_tid = p->tid;
    r->flags |= REGISTRATION_REARMED | REGISTRATION_KNOWN;
    ledger_count(&r->mods, 1);
    f->armed_at = p->time;
    f->rearm_errno = 0;
    f->between |= BETWEEN_MOD;
    ledger_set_home(f, &key, p->mask);
    ledger_record(f, p, p->mask & 0x7fff);
}

static __always_inline void ledger_del(struct books *b, const struct posting *p)
{
    struct epoll_row *e = ledger_open_epoll(b, p);
    struct file_row *f = books_file(b, p->file);
    if (!e)
        return;
    if (f)
        ledger_record(f, p, p->result);
    if (p->result < 0) {
        ledger_count(&e->ctl_errors, 1);
        if (f)
            f->between |= BETWEEN_DEL_FAILED;
        return;
    }
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row *r = books_registration(b, &key);
    if (!r)
        return;
    ledger_rearmed(e, r, p->time);
    ledger_drop_registration(b, &key, r, f, false);
}

/* R8: told of input and of nothing else, then closed without anybody having touched it. A connection pool
 * closes what only became writable; the peer's close and errors need no read. */
static __always_inline void ledger_closed_unarmed(struct books *b, const struct registration_key *key,
                                                  const struct registration_row *r, const struct file_row *f,
                                                  u64 now)
{
    if (!(r->flags & REGISTRATION_FIRED) || now - r->fired_at < LEDGER_REARM_NS ||
        !(r->delivered_events & (EV_IN | EV_RDNORM)) || (r->delivered_events & (EV_RDHUP | EV_HUP | EV_ERR)) ||
        f->attempt_at > r->fired_at || f->wrote_at > r->fired_at)
        return;
    struct epoll_row *e = books_epoll(b, key->epoll);
    if (e)
        ledger_count(&e->unarmed_closes, 1);
}

static __always_inline void ledger_close(struct books *b, const struct posting *p)
{
    struct file_row *f = books_file(b, p->file);
    if (!f)
        return;
    f->closed_at = p->time;
    f->flags |= FILE_CLOSED;
    ledger_record(f, p, p->fd);
    if (!(p->flags & POSTING_LAST))
        return;
    /* The last reference: eventpoll_release_file() takes its registrations with it. Those beyond the
     * newest one are found dead by the sweep. */
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = f->home_fd, .pad = 0};
    struct registration_row *r = f->home ? books_registration(b, &key) : NULL;
    if (r) {
        ledger_closed_unarmed(b, &key, r, f, p->time);
        ledger_drop_registration(b, &key, r, f, true);
    }
    books_remove_file(b, p->file);
}

static __always_inline void ledger_shutdown(struct books *b, const struct posting *p)
{
    struct file_row *f = books_file(b, p->file);
    if (!f)
        return;
    if (p->result == 0 && p->amount >= 1) /* SHUT_WR, SHUT_RDWR */
        f->flags |= FILE_SHUT_WRITE;
    ledger_count(&f->moves, 1);
    ledger_record(f, p, p->amount);
}

static __always_inline void ledger_fcntl(struct books *b, const struct posting *p)
{
    struct file_row *f = books_file(b, p->file);
    if (!f || p->result < 0)
        return;
    if (p->flags & POSTING_NONBLOCK)
        f->flags |= FILE_NONBLOCK;
    else
        f->flags &= ~FILE_NONBLOCK;
}

static __always_inline void ledger_peer_closed(struct books *b, const struct posting *p)
{
    struct file_row *f = books_file(b, p->file);
    if (!f)
        return;
    if (!f->peer_closed_at)
        f->peer_closed_at = p->time;
    ledger_record(f, p, 0);
}
