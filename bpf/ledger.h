/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * How each posting changes the books. This text is compiled to BPF, where the tables are maps, and into
 * the C++ program, where they are hash tables (src/books/tables.h), so live audit, replay and strace
 * import cannot disagree.
 *
 * The includer defines `struct books` and, before including this file:
 *
 *   file_row *books_file(books *, u64 file)                        NULL when there is none
 *   file_row *books_add_file(books *, u64 file)                    zeroed; NULL when full (counted)
 *   void books_remove_file(books *, u64 file)
 *   ... and the same three for fault, registration, run, epoll, thread, index; but
 *   registration_row *books_add_registration(books *, const registration_key *, bool *made)
 *        made: by this call, so it is for this caller to fill in
 *   bool books_make_index(books *, const index_key *, const index_row *)    false: there is one with this key
 *   bool books_remove_registration(books *, const registration_key *)      false: it was not there (any more)
 *   bool books_item_gone(books *, const registration_key *, const registration_row *)
 *        the kernel says that this registration no longer exists
 *   void books_reborn(books *, u64 file)
 *        the address of a file serves another one now
 *   void books_bury(books *, const registration_key *, registration_row *, file_row *, const fault_row *, bool file_dies)
 *        a registration dies, alone or with its file; its past may matter to a rule (ledger_past_matters)
 *   u64 books_epoll_file(books *, const posting *)
 *        the open file of the epoll instance that p->epfd names, 0 where that cannot be known
 *   void books_stat(books *, u32 stat)                             count one
 *   void books_stats(books *, u32 stat, u64 n)                     count n
 *   void books_indexed(books *, const registration_key *, u64 data), books_unindexed(...)
 *        this registration has this data from now on, or no more
 *   bool books_seeded(books *)                                     all that existed before we looked is in the books
 *   u64 books_time(books *)                                        now, where no posting says it
 *   void books_usage(books *, const posting *)
 *        fills in cpu and delay of the posting; replay has them
 *   bool books_held_elsewhere(books *, const posting *)            does anybody but the caller hold the file?
 *   bool books_same_table(books *, const posting *, u32 tgid)      has that process the caller's table of descriptors?
 *   bool books_leads_to(books *, const posting *, u64 file)        does p->fd lead to it in the caller's process?
 *
 * Nothing here reads the kernel, the clock or user memory: all that is in the posting. The last three are
 * asked only where the answer matters, because reading it each time would cost too much; in the kernel they
 * write it into the posting, so that a recording has it.
 */
#pragma once

#include "ledger_limits.h"
#include "ledger_sweep.h"
#include "rows.h"

#ifdef __bpf__
#define ledger_count(field, n) __sync_fetch_and_add((field), (n))
#define LEDGER_UNROLL _Pragma("unroll")
#else
#define ledger_count(field, n) (*(field) += (n))
#define LEDGER_UNROLL
#endif

static __always_inline void ledger_record(struct file_row* f, const struct posting* p, s64 value)
{
    u64 since = f->last_at && p->time > f->last_at ? p->time - f->last_at : 0;
    u32 slot = f->flight_next;
    /* Once full it stays above FLIGHT_SLOTS. Without a branch: a verifier would walk through what follows twice. */
    f->flight_next = ((slot + 1) & (FLIGHT_SLOTS - 1)) | ((slot | (slot + 1)) & FLIGHT_SLOTS);
    f->flight[slot & (FLIGHT_SLOTS - 1)] = flight_entry(p->kind, p->tid, since, value);
    f->last_at = p->time;
}

/* What went wrong with the file so far; NULL: nothing did. */
static __always_inline struct fault_row* ledger_fault(struct books* b, const struct file_row* f, u64 file)
{
    return f->faulty ? books_fault(b, file) : NULL;
}

/* The same where something goes wrong now; NULL: the table is full (counted). */
static __always_inline struct fault_row* ledger_fault_row(struct books* b, struct file_row* f, u64 file)
{
    struct fault_row* x = ledger_fault(b, f, file);
    if (x)
        return x;
    x = books_add_fault(b, file);
    if (x)
        f->faulty = 1;
    return x;
}

static __always_inline void ledger_remove_file(struct books* b, const struct file_row* f, u64 file)
{
    if (f->faulty)
        books_remove_fault(b, file);
    books_remove_file(b, file);
}

/* The sweep looks at a file. Returns its faults. */
static __always_inline struct fault_row* ledger_refresh_file(struct books* b, struct file_row* f, u64 file,
                                                             const struct file_state* s, u64 now)
{
    struct fault_row* x = ledger_output_waits(f, s) ? ledger_fault_row(b, f, file) : ledger_fault(b, f, file);
    ledger_refresh(f, x, s, now);
    return x;
}

/* Was this registration's number closed while its file lives on (EP303)? Then the faults of that file, else NULL. */
static __always_inline struct fault_row* ledger_ghost_of(struct books* b, const struct file_row* f, u64 epoll, u64 file,
                                                         s32 fd)
{
    struct fault_row* x = f->ghost_at ? ledger_fault(b, f, file) : NULL;
    return x && x->ghost_epoll == epoll && x->ghost_fd == fd ? x : NULL;
}

static __always_inline bool ledger_failed(s64 result, u32 error) { return result == -(s64)error; }

/* The call did not really happen: a signal came first, or it will be restarted. */
static __always_inline bool ledger_interrupted(s64 result)
{
    return result == -ERRNO_EINTR || (result <= -ERRNO_RESTART_FIRST && result >= -ERRNO_RESTART_LAST);
}

static __always_inline u32 ledger_bucket(u64 value)
{
    u32 bucket = 0;
    if (value >> 16) {
        value >>= 16;
        bucket += 16;
    }
    if (value >> 8) {
        value >>= 8;
        bucket += 8;
    }
    if (value >> 4) {
        value >>= 4;
        bucket += 4;
    }
    if (value >> 2) {
        value >>= 2;
        bucket += 2;
    }
    if (value >> 1) {
        bucket += 1;
    }
    return bucket < EPOLL_BUCKETS ? bucket : EPOLL_BUCKETS - 1;
}

/* --- data -> registration ------------------------------------------------------------------------ */

static __always_inline void ledger_index_remove(struct books* b, const struct registration_key* key, u64 data)
{
    struct index_key at = {.epoll = key->epoll, .data = data};
    struct index_row* entry = books_index(b, &at);
    books_unindexed(b, key, data);
    if (!entry)
        return;
    ledger_count(&entry->file_sum, -key->file);
    ledger_count(&entry->fd_sum, -(u64)(u32)key->fd);
    ledger_count(&entry->count, -1ULL);
    if (!entry->count)
        books_remove_index(b, &at);
}

static __always_inline bool ledger_index_find(struct books* b, u64 epoll, u64 data, struct registration_key* key)
{
    struct index_key at = {.epoll = epoll, .data = data};
    struct index_row* entry = books_index(b, &at);
    if (!entry || entry->count != 1)
        return false;
    key->epoll = epoll;
    key->file = entry->file_sum;
    key->fd = (s32)entry->fd_sum;
    key->pad = 0;
    return true;
}

/* How many have this data? Two or more: it names none of them. */
static __always_inline u64 ledger_indexed(struct books* b, u64 epoll, u64 data)
{
    struct index_key at = {.epoll = epoll, .data = data};
    const struct index_row* entry = books_index(b, &at);
    return entry ? entry->count : 0;
}

/* Most data belongs to one registration: then this is one update and no look-up. Else another CPU may take the entry off,
 * because it was the last of its data, just as it is found here: then a new one. */
static __always_inline void ledger_index_add(struct books* b, const struct registration_key* key, u64 data)
{
    struct index_key at = {.epoll = key->epoll, .data = data};
    const struct index_row alone = {.file_sum = key->file, .fd_sum = (u32)key->fd, .count = 1};
    books_indexed(b, key, data);
    for (u32 i = 0; i < 2; i++) {
        if (books_make_index(b, &at, &alone))
            return;
        struct index_row* entry = books_index(b, &at);
        if (!entry)
            continue;
        ledger_count(&entry->file_sum, key->file);
        ledger_count(&entry->fd_sum, (u64)(u32)key->fd);
        ledger_count(&entry->count, 1ULL);
        if (books_index(b, &at) == entry)
            return;
    }
}

#include "ledger_rows.h"
#include "ledger_sharing.h"
#include "ledger_stale.h"
#include "ledger_stall.h"
#include "ledger_failed.h"
#include "ledger_unknown.h"
#include "ledger_ghost.h"
#include "ledger_exclusive.h"
#include "ledger_io.h"
#include "ledger_ctl.h"
#include "ledger_end.h"
#include "ledger_read.h"
#include "ledger_write.h"
#include "ledger_deliver.h"
#include "ledger_wait.h"
