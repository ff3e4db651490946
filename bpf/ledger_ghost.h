/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* EP303: numbers that were closed while their file lives on, and its registration with it. Included by ledger.h. */
#pragma once

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

/* EP303. The number goes, the file stays (dup, a forked child, SCM_RIGHTS), and so does its registration, if it was of this
 * process: the number that another one has registered is its own (a server that hands its listener to its successor). */
static __always_inline void ledger_ghost(struct books* b, struct file_row* f, const struct posting* p)
{
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = p->fd, .pad = 0};
    struct registration_row* r = f->home && p->tgid == f->tgid ? books_registration(b, &key) : NULL;
    if (r && (!r->tgid || r->tgid == p->tgid))
        ledger_haunts(b, books_epoll(b, key.epoll), f, p, &key);
}
