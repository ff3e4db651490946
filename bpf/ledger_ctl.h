/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings that change the interest list, and the end of files. Included by ledger.h. */
#pragma once

/* `refired`: another thread got the next event before this call ended, and may have booked it. */
static __always_inline void ledger_rearmed(struct epoll_row* e, struct registration_row* r, u64 now, bool refired)
{
    if (!(r->flags & REGISTRATION_FIRED))
        return;
    if (r->delivered_at) { /* else it fired before we looked: how long it took is not known */
        ledger_count(&e->rearms, 1);
        if (now - r->fired_at <= LEDGER_REARM_NS)
            ledger_count(&e->rearms_fast, 1);
    }
    if (refired)
        return;
    r->flags &= ~REGISTRATION_FIRED;
    r->fired_at = 0;
}

static __always_inline void ledger_set_home(struct file_row* f, const struct registration_key* key, u32 mask)
{
    f->home = key->epoll;
    f->home_fd = key->fd;
    if (mask & EV_ET)
        f->flags |= FILE_EDGE;
    else
        f->flags &= ~FILE_EDGE;
}

/* EP303. The registered number no longer leads to the file, which lives on. */
static __always_inline struct fault_row* ledger_haunts(struct books* b, struct epoll_row* e, struct file_row* f,
                                                       const struct posting* p, const struct registration_key* key)
{
    struct fault_row* x = ledger_fault_row(b, f, key->file);
    if (!x)
        return NULL;
    x->ghost_epoll = key->epoll;
    x->ghost_fd = key->fd;
    x->ghost_told = 0;
    x->ghost_used = 0;
    x->ghost_errors = 0;
    f->ghost_at = p->time; /* last: who sees it reads the others */
    if (e) {
        e->ghost_file = key->file;
        e->ghost_fd = key->fd;
    }
    return x;
}

/* Closed before we looked, or by a call that no hook shows: the process of the posting is the one that lacks it. */
static __always_inline struct fault_row* ledger_haunts_unseen(struct books* b, struct epoll_row* e, struct file_row* f,
                                                              const struct posting* p, struct registration_row* r,
                                                              const struct registration_key* key)
{
    r->flags |= REGISTRATION_UNREACHED;
    f->tgid = p->tgid; /* the file may be known by the process that has its duplicate */
    return ledger_haunts(b, e, f, p, key);
}

/* Whoever registered it has a say in what the number means. */
static __always_inline struct fault_row* ledger_haunts_caller(struct books* b, struct epoll_row* e, struct file_row* f,
                                                              const struct posting* p, u64 file)
{
    struct registration_key key = {.epoll = p->epoll, .file = file, .fd = p->fd, .pad = 0};
    struct registration_row* r = books_registration(b, &key);
    if (!r || (r->tgid ? r->tgid : e->tgid) != p->tgid)
        return NULL;
    return ledger_haunts_unseen(b, e, f, p, r, &key);
}

/*
 * EP303. Does the number lead to the file where its event is delivered? Asked once of what existed before we looked, since no
 * close was seen then, and of each run that becomes a spin, since not every close is seen.
 */
static __always_inline void ledger_ask_reached(struct books* b, const struct posting* p, struct epoll_row* e,
                                               struct file_row* f, struct registration_row* r,
                                               const struct registration_key* key)
{
    bool first = !r->tgid && !(r->flags & REGISTRATION_ASKED);
    if (f->ghost_at || (!first && r->run != LEDGER_RUN) || (r->tgid && r->tgid != p->tgid))
        return;
    r->flags |= REGISTRATION_ASKED;
    if (!books_leads_to(b, p, key->file))
        ledger_haunts_unseen(b, e, f, p, r, key);
}

/*
 * EP303. epoll_ctl on a number that leads nowhere (EBADF), or to a file that is not registered under it
 * (ENOENT): was it closed while its registration lives on? Known here is the newest ghost of an epoll, and that which
 * the kernel's list of what is ready has under the number (POSTING_UNREACHED).
 */
static __always_inline void ledger_ghost_ctl(struct books* b, struct epoll_row* e, const struct posting* p)
{
    bool unreached = p->flags & POSTING_UNREACHED;
    u64 file = unreached ? p->data : e->ghost_fd == p->fd ? e->ghost_file : 0;
    struct file_row* f = file ? books_file(b, file) : NULL;
    if (!f)
        return;
    struct fault_row* x = ledger_ghost_of(b, f, p->epoll, file, p->fd);
    if (!x && unreached)
        x = ledger_haunts_caller(b, e, f, p, file);
    if (!x)
        return;
    ledger_count(&x->ghost_errors, 1);
    if (p->kind == POSTING_DEL)
        f->between |= BETWEEN_DEL_FAILED;
    ledger_record(f, p, p->result);
}

/* EP403. EPOLLEXCLUSIVE cannot be changed by MOD, nor had together with RDHUP, ONESHOT or an epoll (EINVAL). */
static __always_inline void ledger_exclusive_failed(struct books* b, struct file_row* f, const struct posting* p)
{
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    if (!x)
        return;
    if (!x->exclusive_at || x->exclusive_epoll != p->epoll) /* whoever tries again has not resolved it */
        x->exclusive_at = p->time;
    x->exclusive_epoll = p->epoll;
    x->exclusive_mask = p->mask;
    x->exclusive_mod = p->kind == POSTING_MOD;
    ledger_count(&x->exclusive_errors, 1);
}

/* EINVAL, then DEL, or ADD with another mask, in the same epoll (nginx): nothing has come of it. A DEL alone may
 * still be the end of a client. */
static __always_inline void ledger_exclusive_resolved(struct books* b, struct file_row* f, const struct posting* p)
{
    struct fault_row* x = ledger_fault(b, f, p->file);
    if (!x || x->exclusive_epoll != p->epoll)
        return;
    x->exclusive_at = 0;
    if (p->kind != POSTING_DEL)
        x->exclusive_mod = 0;
}

/* The last answer to the refused MOD was close(). */
static __always_inline void ledger_exclusive_dropped(struct books* b, struct file_row* f, u64 file)
{
    struct fault_row* x = ledger_fault(b, f, file);
    struct epoll_row* e = x && x->exclusive_mod ? books_epoll(b, x->exclusive_epoll) : NULL;
    if (!e)
        return;
    ledger_count(&e->exclusive_drops, 1);
    e->exclusive_mask = x->exclusive_mask;
}

/* Was it accepted by the thread that registers it, since that came back from its wait? */
static __always_inline void ledger_came_by_itself(struct books* b, struct file_row* f, const struct posting* p)
{
    const struct thread_row* t = books_thread(b, p->tid);
    if (t && t->accepted == p->fd + 1)
        f->flags |= FILE_ACCEPTED;
}

/* A connection that is being made is heard of by EPOLLOUT. */
static __always_inline void ledger_connect_asked(struct file_row* f, u32 mask)
{
    if ((f->flags & FILE_CONNECTING) && (mask & EV_OUT))
        f->flags |= FILE_CONNECT_ASKED;
}

/* Does input come back into a mask that lacked it? */
static __always_inline void ledger_resumed(struct epoll_row* e, const struct registration_row* r,
                                           const struct posting* p)
{
    const u32 input = EV_IN | EV_RDNORM;
    if ((r->mask & input) || !(p->mask & input))
        return;
    ledger_count(&e->resumes, 1);
    if (p->time - r->armed_at <= LEDGER_REARM_NS)
        ledger_count(&e->resumes_fast, 1);
}

static __always_inline void ledger_count_registration(struct epoll_row* e, struct registration_row* r,
                                                      const struct posting* p)
{
    ledger_count(&e->registrations, 1);
    ledger_unknown_explained(e, p->data, p->time);
    if (p->file_kind == FILE_TCP || p->file_kind == FILE_UDP)
        e->flags |= EPOLL_STREAM;
    else if (p->file_kind != FILE_LISTENER)
        return;
    r->flags |= REGISTRATION_CLIENT;
    ledger_count(&e->clients, 1);
}

/*
 * A registration that exists: by ADD, by the seed, or by a MOD of one that we had not known. An event comes as soon as
 * the kernel has added the file, so another thread's MOD may be booked before the ADD, or at the same time. Whoever makes
 * the row fills it in and indexes it; `open` comes last, and until then nobody else believes its data or takes it away.
 */
static __always_inline struct registration_row* ledger_open_registration(struct books* b, const struct posting* p,
                                                                         const struct registration_key* key)
{
    struct registration_row* r = books_registration(b, key);
    if (r && !r->open)
        return r;
    if (r) { /* same epoll, file and number: the old one must be gone, or ADD had said EEXIST */
        struct file_row* f = books_file(b, key->file);
        ledger_drop_registration(b, key, r, f && f->home ? f : NULL, false); /* a new row is that of another file */
    }
    ledger_evict_dead(b, key->epoll, p->data, key);
    bool made = false;
    r = books_add_registration(b, key, &made);
    if (!r || !made)
        return r;
    r->data = p->data;
    /* The kernel adds ERR and HUP to what it is given, and the seed reads what the kernel has. */
    r->mask = p->kind == POSTING_SEEDED ? p->mask & ~(EV_ERR | EV_HUP) : p->mask;
    r->added_at = p->time;
    r->armed_at = p->time;
    r->ctl_tid = p->tid;
    r->tgid = p->kind == POSTING_ADD ? p->tgid : 0;
    ledger_index_add(b, key, p->data);
    struct epoll_row* e = books_epoll(b, key->epoll);
    if (e)
        ledger_count_registration(e, r, p);
    ledger_publish(r);
    return r;
}

/* ENOENT, ENOMEM, EEXIST, EINVAL, ENOSPC, ELOOP: the file is deaf now, unless somebody makes up for it. Not
 * EPERM: regular files are always ready, and programs ask to find out (Go at each os.Open). */
static __always_inline bool ledger_deafens(s64 result)
{
    return result == -2 || result == -12 || result == -17 || result == -22 || result == -28 || result == -40 ||
           result == -ERRNO_EBADF;
}

/* ADD or MOD failed. Files that no epoll had before get a row here. */
static __always_inline void ledger_refused(struct books* b, const struct posting* p)
{
    if (!p->file || !ledger_deafens(p->result) || p->file_kind == FILE_OTHER || p->file_kind == FILE_UNKNOWN)
        return;
    struct file_row* f = books_file(b, p->file);
    if (!f || f->ino != p->ino)
        f = ledger_open_file(b, p);
    if (!f)
        return;
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    if (!x)
        return;
    x->refusals = f->refused_at ? x->refusals + 1 : 1;
    f->refused_at = p->time;
    x->refused_epoll = p->epoll;
    x->refused_mask = p->mask;
    x->refused_errno = (u16)-p->result;
    x->refused_kind = p->kind;
    if (p->kind == POSTING_ADD) /* a failed MOD is on record already */
        ledger_record(f, p, p->result);
}

static __always_inline void ledger_add(struct books* b, const struct posting* p)
{
    struct epoll_row* e = ledger_open_epoll(b, p);
    if (!e)
        return;
    if (p->result < 0) {
        ledger_count(&e->ctl_errors, 1);
        if (ledger_failed(p->result, ERRNO_EINVAL) && (p->mask & EV_EXCLUSIVE) && p->file) {
            struct file_row* denied = ledger_open_file(b, p);
            if (denied) {
                ledger_exclusive_failed(b, denied, p);
                ledger_record(denied, p, p->result);
            }
        }
        ledger_refused(b, p);
        return;
    }
    struct file_row* f = ledger_open_file(b, p);
    if (!f)
        return;
    f->refused_at = 0;
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = ledger_open_registration(b, p, &key);
    if (!r)
        return;
    if (p->kind == POSTING_SEEDED) {
        r->flags |= REGISTRATION_SEEDED;
        f->flags |= FILE_SEEDED;
        if ((p->mask & EV_ONESHOT) &&
            !(p->mask & ~EV_PRIVATE)) { /* not even what the kernel adds to each mask is left */
            r->flags |= REGISTRATION_FIRED;
            r->fired_at = p->time;
        }
        if ((p->flags & POSTING_FULL) && !f->wrote_at && !f->out_cut_at) {
            f->out_cut_at = p->time;
            f->flags |= FILE_CUT_GUESSED;
        }
    } else {
        r->flags |= REGISTRATION_KNOWN;
        f->armed_at = p->time;
        ledger_came_by_itself(b, f, p);
        if (p->mask & EV_ET)
            r->flags |= REGISTRATION_ADDED_EDGE;
        if (p->flags & POSTING_REFIRED) { /* by a thread that was faster than the end of this call */
            r->flags |= REGISTRATION_FIRED;
            r->fired_at = p->time;
            ledger_count(&e->fired, 1);
        }
        ledger_record(f, p, p->mask & 0x7fff);
    }
    ledger_exclusive_resolved(b, f, p);
    if (p->kind == POSTING_ADD && f->kind == FILE_TCP && p->amount == SK_SYN_SENT)
        f->flags |= FILE_CONNECTING;
    if (f->kind == FILE_TCP && p->amount == SK_CLOSE_WAIT && !f->peer_closed_at)
        f->peer_closed_at = p->time; /* at the latest */
    ledger_connect_asked(f, p->mask);
    if (ledger_ghost_of(b, f, p->epoll, p->file, p->fd))
        f->ghost_at = 0;
    /* A new registration starts a new life of edges; what is unread now will be reported at once. */
    f->edge_at = 0;
    f->left_at = 0;
    f->left_passes = 0;
    f->flags &= ~(FILE_EDGE_USED | FILE_SAW_EAGAIN);
    ledger_set_home(f, &key, p->mask);
    f->rearm_errno = 0; /* MOD = ENOENT, then ADD: resolved (libevent, photon, facil.io) */
}

static __always_inline void ledger_mod_failed(struct books* b, struct epoll_row* e, struct file_row* f,
                                              const struct posting* p)
{
    ledger_count(&e->ctl_errors, 1);
    ledger_ghost_ctl(b, e, p);
    if (!f)
        return;
    if (ledger_failed(p->result, ERRNO_EINVAL)) {
        struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
        const struct registration_row* r = books_registration(b, &key);
        if ((p->mask & EV_EXCLUSIVE) || (r && (r->mask & EV_EXCLUSIVE)))
            ledger_exclusive_failed(b, f, p);
    }
    f->rearm_errno = (u32)-p->result;
    if (f->home == p->epoll) /* what is done to another epoll says nothing of this one's events */
        f->between |= BETWEEN_MOD;
    ledger_record(f, p, p->result);
}

/* Returns the row of what was changed; NULL: nothing was. */
static __always_inline struct registration_row* ledger_mod(struct books* b, const struct posting* p)
{
    struct epoll_row* e = ledger_open_epoll(b, p);
    struct file_row* f = books_file(b, p->file);
    if (!e)
        return NULL;
    if (p->result < 0) {
        ledger_mod_failed(b, e, f, p);
        ledger_refused(b, p);
        return NULL;
    }
    if (!f) {
        f = ledger_open_file(b, p);
        if (f) /* registered before we looked: an edge may have come already */
            f->flags |= FILE_SEEDED;
    }
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = books_registration(b, &key);
    if (!r)
        r = ledger_open_registration(b, p, &key);
    if (!f || !r)
        return NULL;
    if (r->open && r->data != p->data) {
        ledger_index_remove(b, &key, r->data);
        ledger_evict_dead(b, key.epoll, p->data, &key);
        ledger_index_add(b, &key, p->data);
        r->data = p->data;
        e->removed_at = p->time;
        ledger_unknown_explained(e, p->data, p->time);
    }
    ledger_foreign_ctl(b, p, e, r, f->kind);
    bool refired = p->flags & POSTING_REFIRED;
    ledger_rearmed(e, r, p->time, refired);
    /* Fewer wanted bits is progress; the same or a larger mask is not (fibers #19 spins with a MOD each
     * turn). HUP and ERR cannot be masked. */
    if (r->run_events & ~(p->mask | EV_ERR | EV_HUP))
        ledger_end_run(r);
    /* A mask of 0 is neither of the two, and ONESHOT makes them the same. */
    if (((r->mask ^ p->mask) & EV_ET) && (r->mask & ~EV_PRIVATE) && (p->mask & ~EV_PRIVATE) &&
        !(r->mask & p->mask & EV_ONESHOT))
        ledger_count(&r->flips, 1);
    f->between |= r->mask == p->mask ? BETWEEN_MOD_SAME : BETWEEN_MOD;
    ledger_connect_asked(f, p->mask);
    ledger_resumed(e, r, p);
    r->mask = p->mask;
    r->armed_at = p->time;
    r->ctl_tid = p->tid;
    r->flags |= (refired ? 0 : REGISTRATION_REARMED) | REGISTRATION_KNOWN;
    ledger_count(&r->mods, 1);
    f->armed_at = p->time;
    f->rearm_errno = 0;
    f->refused_at = 0;
    ledger_exclusive_resolved(b, f, p);
    if (ledger_ghost_of(b, f, p->epoll, p->file, p->fd))
        f->ghost_at = 0; /* dup2() back to the old number */
    ledger_set_home(f, &key, p->mask);
    ledger_record(f, p, p->mask & 0x7fff);
    return r;
}

static __always_inline void ledger_del(struct books* b, const struct posting* p)
{
    struct epoll_row* e = ledger_open_epoll(b, p);
    struct file_row* f = books_file(b, p->file);
    if (!e)
        return;
    if (f)
        ledger_record(f, p, p->result);
    if (p->result < 0) {
        ledger_count(&e->ctl_errors, 1);
        ledger_ghost_ctl(b, e, p);
        if (f && f->home == p->epoll)
            f->between |= BETWEEN_DEL_FAILED;
        return;
    }
    if (f)
        ledger_exclusive_resolved(b, f, p);
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = books_registration(b, &key);
    if (!r)
        return;
    ledger_foreign_ctl(b, p, e, r, f ? f->kind : (u8)FILE_UNKNOWN);
    if (f)
        ledger_forsaken(b, &key, r, f, p->time);
    ledger_rearmed(e, r, p->time, false);
    ledger_drop_registration(b, &key, r, f, false);
}

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

/* EP303. The number goes, the file stays (dup, a forked child, SCM_RIGHTS), and so does its registration, if it was of this
 * process: the number that another one has registered is its own (a server that hands its listener to its successor). */
static __always_inline void ledger_ghost(struct books* b, struct file_row* f, const struct posting* p)
{
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = f->home && p->tgid == f->tgid ? books_registration(b, &key) : NULL;
    if (r && (!r->tgid || r->tgid == p->tgid))
        ledger_haunts(b, books_epoll(b, key.epoll), f, p, &key);
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
