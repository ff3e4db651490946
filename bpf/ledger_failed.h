/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Calls that failed, and what a run of futile returns was like. Included by ledger.h. */
#pragma once

/*
 * A call that failed is no progress, however often it is made. But one that took a pending error (sk_err, handed out
 * once) changed the file: the error that was pending at the last delivery, or, where nobody knew (logs), one that a
 * reader can have from nowhere else.
 */
static __always_inline bool ledger_took_error(const struct registration_row* r, const struct posting* p)
{
    if ((u16)r->token_aux)
        return p->result == -(s64)(u16)r->token_aux;
    return p->kind == POSTING_READ && !(p->flags & POSTING_STATE) && ledger_came_from_outside(p->result);
}

static __always_inline void ledger_call_failed(struct books* b, struct file_row* f, const struct posting* p,
                                               u16 between, u32 sort)
{
    f->between |= between;
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = f->home_fd, .pad = 0};
    struct registration_row* r = f->home ? books_registration(b, &key) : NULL;
    if (!r)
        return;
    if (ledger_took_error(r, p))
        ledger_count(&f->moves, 1);
    struct run_row* x = r->run ? ledger_run(b, &key, r) : NULL; /* what fails apart from a run is no part of it */
    if (!x)
        return;
    struct failed_calls* c = &x->calls.failed[sort];
    u16 error = (u16)-p->result;
    if (c->error != error || c->kind != p->kind) {
        c->error = error;
        c->kind = p->kind;
        c->count = 0;
    }
    c->count += 1;
}

/* The first futile return of a run. Until then the run before stays as it was, for whoever tells of it. */
static __always_inline void ledger_begin_run(struct run_row* x)
{
    x->events = 0;
    __builtin_memset(&x->calls, 0, sizeof(x->calls));
}

/* Which calls came before this futile return? Without branches: a verifier would walk through all their combinations. */
static __always_inline void ledger_note_calls(struct run_calls* c, u32 between)
{
    if (c->returns == 0xffff) {
        c->returns /= 2;
        LEDGER_UNROLL
        for (u32 i = 0; i < BETWEEN_KINDS; i++)
            c->after[i] /= 2;
    }
    c->returns += 1;
    LEDGER_UNROLL
    for (u32 i = 0; i < BETWEEN_KINDS; i++)
        c->after[i] += between >> i & 1;
}
