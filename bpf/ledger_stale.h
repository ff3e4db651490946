/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Events of a batch whose file was closed before their turn came (EP504). Included by ledger.h. */
#pragma once

/* A registration goes away by DEL or close. Was it reported in a batch that is still being handled, and has
 * nobody acted on that report yet? */
static __always_inline void ledger_forsaken(struct books* b, const struct registration_key* key,
                                            const struct registration_row* r, const struct file_row* f, u64 now)
{
    u64 told = r->delivered_at;
    /* Closed here before it was reported, and now by the last one who had it: an event of a ghost (EP303), whose own
     * close came in no batch. */
    if (f->ghost_at && f->ghost_at <= told)
        return;
    if (!told || f->attempt_at >= told || f->wrote_at >= told || f->consumed_at >= told)
        return;
    struct thread_row* t = books_thread(b, r->delivered_tid);
    if (!t || t->waiting || t->epoll != key->epoll || told < t->wait_at)
        return;
    if (t->stale_pass != t->return_at) {
        for (u32 i = 0; i < STALE_FDS; i++)
            t->stale_fds[i] = -1;
        t->stale_pass = t->return_at;
    }
    u32 slot = t->stale_next;
    t->stale_next = slot + 1;
    t->stale_fds[slot & (STALE_FDS - 1)] = key->fd;
    t->stale_closed_at = now;
}

/* A call failed because the number leads nowhere, or not to a socket. */
static __always_inline void ledger_bad_fd(struct books* b, const struct posting* p)
{
    if (p->result != -ERRNO_EBADF && p->result != -ERRNO_ENOTSOCK)
        return;
    struct thread_row* t = books_thread(b, p->tid);
    if (!t || t->waiting || !t->stale_pass || t->stale_pass != t->return_at)
        return;
    bool stale = false;
    for (u32 i = 0; i < STALE_FDS; i++) {
        if (t->stale_fds[i] != p->fd)
            continue;
        t->stale_fds[i] = -1; /* the handler's next call on it is the same mistake */
        stale = true;
    }
    struct epoll_row* e = stale ? books_epoll(b, t->epoll) : NULL;
    if (!e)
        return;
    ledger_count(&e->stale_ios, 1);
    e->stale_told_at = t->return_at;
    e->stale_closed_at = t->stale_closed_at;
    e->stale_at = p->time;
    e->stale_tid = p->tid;
    e->stale_fd = p->fd;
    e->stale_errno = (u32)-p->result;
    e->stale_kind = p->kind;
}
