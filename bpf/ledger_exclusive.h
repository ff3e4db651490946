/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* EP403: what EPOLLEXCLUSIVE forbids, and what came of it. Included by ledger.h. */
#pragma once

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
