/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Events that the books cannot place. Included by ledger.h.
 *
 * Data that several registrations share is legal, and no loss. Data that none has is a hole in the books, unless two
 * threads only overlap: one fetches an event while another, whose call is still under way or was booked a moment
 * earlier, adds, changes or takes off its registration. Such an event is kept until it is clear which it was:
 * an ADD or MOD with that data explains it, and where registrations come and go all the time it must come again.
 */
#pragma once

static __always_inline void ledger_unknown_settle(struct books* b, struct unknown_event* u, u64 now)
{
    if (!u->count || now < u->at + LEDGER_ADD_NS)
        return;
    if (u->quiet)
        books_stats(b, STAT_EVENTS_UNKNOWN, u->count);
    u->count = 0;
}

/* The sweep looks at an epoll. */
static __always_inline void ledger_unknown_sweep(struct books* b, struct epoll_row* e, u64 now)
{
    for (u32 i = 0; i < UNKNOWN_EVENTS; i++)
        ledger_unknown_settle(b, &e->unknown[i], now);
}

/* A registration with this data is booked. */
static __always_inline void ledger_unknown_explained(struct epoll_row* e, u64 data, u64 now)
{
    for (u32 i = 0; i < UNKNOWN_EVENTS; i++) {
        struct unknown_event* u = &e->unknown[i];
        if (u->count && u->data == data && now < u->at + LEDGER_ADD_NS)
            u->count = 0;
    }
}

static __always_inline void ledger_unknown(struct books* b, const struct posting* p, struct epoll_row* e)
{
    if (!books_seeded(b))
        return;
    struct unknown_event* free = NULL;
    for (u32 i = 0; i < UNKNOWN_EVENTS; i++) {
        struct unknown_event* u = &e->unknown[i];
        if (u->count && u->data == p->data) {
            u->count += 1;
            if (ledger_indexed(b, p->epoll, p->data))
                u->count = 0;
            else if (p->time >= u->at + LEDGER_UNKNOWN_NS) {
                books_stats(b, STAT_EVENTS_UNKNOWN, u->count);
                u->count = 0;
            }
            return;
        }
        ledger_unknown_settle(b, u, p->time);
        if (!u->count)
            free = u;
    }
    if (!free) /* four that overlapped within a second: if there is more to this one, it will come again */
        return;
    free->data = p->data;
    free->at = p->time;
    free->quiet = p->time > e->removed_at + LEDGER_ADD_NS;
    free->count = 1;
    if (ledger_indexed(b, p->epoll,
                       p->data)) /* since it was looked for; its ADD may have looked here before this was noted */
        free->count = 0;
}

/* An event that cannot be booked: a return that holds it gets the benefit of the doubt. */
static __always_inline void ledger_unplaced(struct books* b, const struct posting* p, struct epoll_row* e,
                                            struct ledger_batch* batch)
{
    batch->useful = 1;
    ledger_count(&e->unattributed, 1);
    if (ledger_indexed(b, p->epoll, p->data) > 1)
        books_stat(b, STAT_UNATTRIBUTED);
    else
        ledger_unknown(b, p, e);
}
