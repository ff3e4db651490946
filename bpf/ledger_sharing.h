/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Two threads on one stream (EP501, EP502), two processes on one epoll (EP503). Included by ledger.h. */
#pragma once

/* --- two readers ---------------------------------------------------------------------------------- */

/* Both were seen inside their calls at the same moment. Threads that never wait on this epoll (workers that got
 * the fd by hand-over, a blocking reader) are another design. */
static __always_inline void ledger_overlap(struct books* b, const struct posting* p)
{
    struct file_row* f = books_file(b, p->file);
    u32 other = (u32)p->amount;
    if (!f || !f->home || (f->kind != FILE_TCP && f->kind != FILE_UNIX) || other == p->tid)
        return;
    const struct thread_row* first = books_thread(b, p->tid);
    const struct thread_row* second = books_thread(b, other);
    if (!first || !second || first->epoll != f->home || second->epoll != f->home || first->waiting || second->waiting)
        return;
    f->clash_a = p->tid;
    f->clash_b = other;
    f->clash_got = 0;
}

/* One of the two calls has returned. */
static __always_inline void ledger_clash(struct books* b, struct file_row* f, const struct posting* p)
{
    u32 shift = p->tid == f->clash_b;
    if (!shift && p->tid != f->clash_a)
        return;
    u8 all = (CLASH_GOT | CLASH_EAGAIN | CLASH_OTHER) << shift;
    if (f->clash_got & all) /* its next call, and the other is still in its first */
        return;
    u8 how = p->result > 0 ? CLASH_GOT : p->result == -ERRNO_EAGAIN ? CLASH_EAGAIN : CLASH_OTHER;
    u8 got = f->clash_got | (u8)(how << shift);
    f->clash_got = got;
    if (!(got & ((CLASH_GOT | CLASH_EAGAIN | CLASH_OTHER) << !shift)))
        return;
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    if (x && (got & CLASH_GOT) && (got & CLASH_GOT << 1))
        ledger_count(&x->clashes, 1);
    else if (x && (got & (CLASH_GOT | CLASH_GOT << 1)) && (got & (CLASH_EAGAIN | CLASH_EAGAIN << 1)))
        ledger_count(&x->clash_misses, 1);
    f->clash_a = 0;
    f->clash_b = 0;
}

/* --- two writers ---------------------------------------------------------------------------------- */

/*
 * Some of a write's bytes went out. If another thread's message was cut short before, are these the rest of it?
 * They are when they come from where it stopped (asio, Go, brpc), from where it began (the sent part was erased
 * from the buffer), or are as many as were missing (copied). Where the address is not known, nothing is.
 */
static __always_inline bool ledger_is_rest(const struct fault_row* x, const struct posting* p)
{
    return p->data == x->cut_next || p->data == x->cut_next - x->cut_done || p->amount == x->cut_left ||
           (x->cut_mark && head_mark(p) == x->cut_mark);
}

/* Bytes of another thread where the rest of `victim`'s message should be. */
static __always_inline void ledger_mixed(struct fault_row* x, const struct posting* p, u32 victim)
{
    ledger_count(&x->mixed, 1);
    ledger_count(&x->mixed_bytes, (u32)p->result);
    x->mixed_tid = p->tid;
    x->mixed_victim = victim;
}

/*
 * A stream goes on with the rest of what was cut short, wherever the program keeps it by now. If it begins with other
 * bytes, the rest is lost: each byte behind is where the peer does not expect it. Another thread's bytes are EP502's,
 * for the rest may still come.
 */
static __always_inline void ledger_rest(struct books* b, const struct file_row* f, const struct posting* p)
{
    struct fault_row* x = ledger_fault(b, f, p->file);
    if (!x || !x->cut_mark)
        return;
    u16 head = head_mark(p);
    if (head && head != x->cut_mark && !(f->cut_tid && f->cut_tid != p->tid)) { /* if so, ledger_between() counts */
        if (x->cut_by != p->tid) {
            ledger_mixed(x, p, x->cut_by);
        } else {
            ledger_count(&x->lost_rests, 1);
            ledger_count(&x->lost_bytes, x->cut_left);
        }
    }
    x->cut_mark = 0;
}

static __always_inline void ledger_between(struct books* b, struct file_row* f, const struct posting* p)
{
    if (f->cut_tid && f->cut_tid != p->tid && p->data) {
        struct fault_row* x = ledger_fault(b, f, p->file);
        if (x && !ledger_is_rest(x, p)) {
            ledger_mixed(x, p, f->cut_tid);
            return; /* the rest is still to come */
        }
    }
    f->cut_tid = 0;
    if ((f->kind != FILE_TCP && f->kind != FILE_UNIX) || !p->data || p->amount <= p->result)
        return;
    struct fault_row* x = ledger_fault_row(b, f, p->file);
    if (!x)
        return;
    f->cut_tid = p->tid;
    x->cut_next = p->data + (u64)p->result;
    x->cut_done = (u32)p->result;
    x->cut_left = (u32)(p->amount - p->result);
    x->cut_mark = rest_mark(p);
    x->cut_by = p->tid;
}

/* --- two processes -------------------------------------------------------------------------------- */

static __always_inline void ledger_foreign(struct epoll_row* e, const struct posting* p,
                                           const struct registration_row* r, u64 file, s32 fd, u8 file_kind)
{
    e->foreign_at = p->time;
    e->foreign_tgid = p->tgid;
    e->foreign_owner = r->tgid;
    e->foreign_fd = fd;
    e->foreign_file = file;
    e->foreign_kind = p->kind;
    e->foreign_file_kind = file_kind;
    e->foreign_result = 0;
}

/* A process changes a registration that another one made and still holds. `owner` is who made it. */
static __always_inline void ledger_foreign_ctl(struct books* b, const struct posting* p, struct epoll_row* e,
                                               const struct registration_row* r, u8 file_kind)
{
    if (!r->tgid || r->tgid == p->tgid || !books_held_elsewhere(b, p) || books_same_table(b, p, r->tgid))
        return;
    ledger_count(&e->foreign_ctls, 1);
    ledger_foreign(e, p, r, p->file, p->fd, file_kind);
}

/* An event comes to another process than the one that registered the file. */
static __always_inline void ledger_foreign_event(struct books* b, const struct posting* p, struct epoll_row* e,
                                                 const struct registration_row* r, const struct registration_key* key,
                                                 u8 file_kind)
{
    if (!r->tgid || r->tgid == p->tgid || books_leads_to(b, p, key->file))
        return;
    ledger_count(&e->strangers, 1);
    ledger_foreign(e, p, r, key->file, key->fd, file_kind);
    e->foreign_kind = POSTING_DELIVERED;
    e->foreign_result = p->mask;
}

/* A program image was replaced, and the new one still has this epoll under p->epfd; or has closed it by now. */
static __always_inline void ledger_exec(struct books* b, const struct posting* p)
{
    struct epoll_row* e = books_epoll(b, p->epoll);
    if (!e)
        return;
    if (p->flags & POSTING_LET_GO) {
        if (e->leaks)
            ledger_count(&e->leaks, -1);
        return;
    }
    ledger_count(&e->leaks, 1);
    e->leaked_at = p->time;
    e->leaked_tgid = p->tgid;
    e->leaked_fd = p->epfd;
}
