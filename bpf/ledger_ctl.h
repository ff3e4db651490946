/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Postings that change the interest list. Included by ledger.h. */
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
                                                                         struct epoll_row* e,
                                                                         const struct registration_key* key)
{
    bool made = false;
    struct registration_row* r = books_add_registration(b, key, &made);
    if (r && !made && r->open) { /* same epoll, file and number: the old one must be gone, or ADD had said EEXIST */
        struct file_row* f = books_file(b, key->file);
        ledger_drop_registration(b, key, r, f && f->home ? f : NULL, false); /* a new row is that of another file */
        r = books_add_registration(b, key, &made);
    }
    if (!r || !made)
        return r;
    ledger_evict_dead(b, key->epoll, p->data, key);
    r->data = p->data;
    /* The kernel adds ERR and HUP to what it is given, and the seed reads what the kernel has. */
    r->mask = p->kind == POSTING_SEEDED ? p->mask & ~(EV_ERR | EV_HUP) : p->mask;
    r->added_at = p->time;
    r->armed_at = p->time;
    r->ctl_tid = p->tid;
    r->tgid = p->kind == POSTING_ADD ? p->tgid : 0;
    ledger_index_add(b, key, p->data);
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

static __always_inline void ledger_add_failed(struct books* b, struct epoll_row* e, const struct posting* p)
{
    ledger_count(&e->ctl_errors, 1);
    if (ledger_failed(p->result, ERRNO_EINVAL) && (p->mask & EV_EXCLUSIVE) && p->file) {
        struct file_row* denied = ledger_open_file(b, p);
        if (denied) {
            ledger_exclusive_failed(b, denied, p);
            ledger_record(denied, p, p->result);
        }
    }
    ledger_refused(b, p);
}

/* It was there when we came. */
static __always_inline void ledger_found(struct file_row* f, struct registration_row* r, const struct posting* p)
{
    r->flags |= REGISTRATION_SEEDED;
    f->flags |= FILE_SEEDED;
    if ((p->mask & EV_ONESHOT) && !(p->mask & ~EV_PRIVATE)) { /* not even what the kernel adds to each mask is left */
        r->flags |= REGISTRATION_FIRED;
        r->fired_at = p->time;
    }
    if ((p->flags & POSTING_FULL) && !f->wrote_at && !f->out_cut_at) {
        f->out_cut_at = p->time;
        f->flags |= FILE_CUT_GUESSED;
    }
}

static __always_inline void ledger_added(struct books* b, struct epoll_row* e, struct file_row* f,
                                         struct registration_row* r, const struct posting* p)
{
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

/* Returns the row of what was added; NULL: nothing was. */
static __always_inline struct registration_row* ledger_add(struct books* b, const struct posting* p)
{
    struct epoll_row* e = ledger_open_epoll(b, p);
    if (!e)
        return NULL;
    if (p->result < 0) {
        ledger_add_failed(b, e, p);
        return NULL;
    }
    struct file_row* f = ledger_open_file(b, p);
    if (!f)
        return NULL;
    f->refused_at = 0;
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = ledger_open_registration(b, p, e, &key);
    if (!r)
        return NULL;
    if (p->kind == POSTING_SEEDED)
        ledger_found(f, r, p);
    else
        ledger_added(b, e, f, r, p);
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
    return r;
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
    f->rearm_errno = (u16)-p->result;
    if (f->home == p->epoll) /* what is done to another epoll says nothing of this one's events */
        f->between |= BETWEEN_MOD;
    ledger_record(f, p, p->result);
}

static __always_inline void ledger_data_changed(struct books* b, struct epoll_row* e, struct registration_row* r,
                                                const struct registration_key* key, const struct posting* p)
{
    ledger_index_remove(b, key, r->data);
    ledger_evict_dead(b, key->epoll, p->data, key);
    ledger_index_add(b, key, p->data);
    r->data = p->data;
    e->removed_at = p->time;
    ledger_unknown_explained(e, p->data, p->time);
}

static __always_inline void ledger_mask_changed(struct books* b, const struct registration_key* key,
                                                struct registration_row* r, const struct posting* p)
{
    const struct run_row* x = r->run ? ledger_run(b, key, r) : NULL;
    /* Fewer wanted bits is progress; the same or a larger mask is not (fibers #19 spins with a MOD each
     * turn). HUP and ERR cannot be masked. */
    if (x && (x->events & ~(p->mask | EV_ERR | EV_HUP)))
        ledger_end_run(b, key, r);
    /* A mask of 0 is neither of the two, and ONESHOT makes them the same. */
    if (((r->mask ^ p->mask) & EV_ET) && (r->mask & ~EV_PRIVATE) && (p->mask & ~EV_PRIVATE) &&
        !(r->mask & p->mask & EV_ONESHOT))
        ledger_count(&r->flips, 1);
}

/* The rows of what MOD has changed; NULL: nothing was, or its epoll has none. */
struct ledger_changed {
    struct epoll_row* e;
    struct registration_row* r;
};

static __always_inline struct ledger_changed ledger_mod(struct books* b, const struct posting* p)
{
    struct ledger_changed changed = {.e = ledger_open_epoll(b, p), .r = NULL};
    struct epoll_row* e = changed.e;
    struct file_row* f = books_file(b, p->file);
    if (!e)
        return changed;
    if (p->result < 0) {
        ledger_mod_failed(b, e, f, p);
        ledger_refused(b, p);
        return changed;
    }
    if (!f) {
        f = ledger_open_file(b, p);
        if (f) /* registered before we looked: an edge may have come already */
            f->flags |= FILE_SEEDED;
    }
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = books_registration(b, &key);
    if (!r)
        r = ledger_open_registration(b, p, e, &key);
    if (!f || !r)
        return changed;
    if (r->open && r->data != p->data)
        ledger_data_changed(b, e, r, &key, p);
    ledger_foreign_ctl(b, p, e, r, f->kind);
    bool refired = p->flags & POSTING_REFIRED;
    ledger_rearmed(e, r, p->time, refired);
    ledger_mask_changed(b, &key, r, p);
    f->between |= r->mask == p->mask ? BETWEEN_MOD_SAME : BETWEEN_MOD;
    ledger_connect_asked(f, p->mask);
    ledger_asked_again(b, f, r, p);
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
    changed.r = r;
    return changed;
}

/* Returns the row of the epoll. */
static __always_inline struct epoll_row* ledger_del(struct books* b, const struct posting* p)
{
    struct epoll_row* e = ledger_open_epoll(b, p);
    struct file_row* f = books_file(b, p->file);
    if (!e)
        return e;
    if (f)
        ledger_record(f, p, p->result);
    if (p->result < 0) {
        ledger_count(&e->ctl_errors, 1);
        ledger_ghost_ctl(b, e, p);
        if (f && f->home == p->epoll)
            f->between |= BETWEEN_DEL_FAILED;
        return e;
    }
    if (f)
        ledger_exclusive_resolved(b, f, p);
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = books_registration(b, &key);
    if (!r)
        return e;
    ledger_foreign_ctl(b, p, e, r, f ? f->kind : (u8)FILE_UNKNOWN);
    if (f)
        ledger_forsaken(b, &key, r, f, p->time);
    ledger_rearmed(e, r, p->time, false);
    ledger_drop_registration(b, &key, r, f, false);
    return e;
}
