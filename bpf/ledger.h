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
 *   ... and the same three for fault, registration, epoll, thread, index; but
 *   registration_row *books_add_registration(books *, const registration_key *, bool *made)
 *        made: by this call, so it is for this caller to fill in
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
    f->flight_next = slot + 1;
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

/* Another CPU may take the entry off, because it was the last of its data, just as it is found here: then a new one. */
static __always_inline void ledger_index_add(struct books* b, const struct registration_key* key, u64 data)
{
    struct index_key at = {.epoll = key->epoll, .data = data};
    struct index_row* entry = books_index(b, &at);
    books_indexed(b, key, data);
    for (u32 i = 0; i < 2; i++) {
        if (!entry)
            entry = books_add_index(b, &at);
        if (!entry)
            return;
        ledger_count(&entry->file_sum, key->file);
        ledger_count(&entry->fd_sum, (u64)(u32)key->fd);
        ledger_count(&entry->count, 1ULL);
        if (books_index(b, &at) == entry)
            return;
        entry = NULL;
    }
}

/* --- rows that come and go ----------------------------------------------------------------------- */

static __always_inline void ledger_end_run(struct registration_row* r)
{
    if (r->run > r->best_run) {
        r->best_run = r->run;
        r->best_run_at = r->run_at;
        r->best_run_ns = r->run_last_at - r->run_at;
        r->best_run_events = r->run_events;
        r->best_run_mask = r->mask; /* a MOD that ends a run has not changed it yet */
        r->best_run_calls = r->run_calls;
    }
    r->run = 0;
}

/*
 * Two CPUs may end the same registration: its file dies as the sweep passes, or a DEL meets the close of a duplicate. The
 * one whose removal finds the row takes it off the index and the counts; the row's memory may serve another one after
 * that. A row that is being filled in is none yet: if it is dead, the sweep finds it so.
 */
static __always_inline void ledger_drop_row(struct books* b, const struct registration_key* key,
                                            struct registration_row* r, struct file_row* f, bool file_dies)
{
    if (!r->open)
        return;
    ledger_end_run(r);
    books_bury(b, key, r, f, f ? ledger_fault(b, f, key->file) : NULL, file_dies);
    u64 data = r->data;
    bool client = r->flags & REGISTRATION_CLIENT;
    if (!books_remove_registration(b, key))
        return;
    ledger_index_remove(b, key, data);
    if (f && f->home == key->epoll && f->home_fd == key->fd) {
        f->home = 0;
        f->flags &= ~FILE_EDGE;
    }
    if (f && ledger_ghost_of(b, f, key->epoll, key->file, key->fd))
        f->ghost_at = 0;
    struct epoll_row* e = books_epoll(b, key->epoll);
    if (!e)
        return;
    e->removed_at = books_time(b);
    if (e->registrations) /* 0: that of an instance which had this address before */
        ledger_count(&e->registrations, -1);
    if (e->clients && client)
        ledger_count(&e->clients, -1);
}

#ifdef __bpf__
/* Global (shared.bpf.c): what is done in so many places is code, and verified, once in each program. It looks for the
 * rows again, which is nothing beside the rest. */
enum drop_how { DROP_FROM_FILE = 1, DROP_FILE_DIES = 2, DROP_GONE = 4 };
int drop_registration(u64 epoll, u64 file, u32 fd, u32 how);

static __always_inline void ledger_drop_registration(struct books* b, const struct registration_key* key,
                                                     struct registration_row* r, struct file_row* f, bool file_dies)
{
    u32 how = (f ? DROP_FROM_FILE : 0) | (file_dies ? DROP_FILE_DIES : 0);
    drop_registration(plain(key->epoll), plain(key->file), (u32)key->fd, how);
}
#else
#define ledger_drop_registration ledger_drop_row
#endif

/* All that was written to the row before stays before this, as far as the compiler is concerned; x86 keeps the order of
 * stores, and on arm64 a reader would have to fall between two adjacent ones. */
static __always_inline void ledger_publish(struct registration_row* r)
{
    asm volatile("" ::: "memory");
    r->open = 1;
}

/* The registration that a file that has died unseen (exit, close_range()) still has in the books. */
static __always_inline void ledger_drop_home(struct books* b, struct file_row* f, u64 file)
{
    struct registration_key key = {.epoll = f->home, .file = file, .fd = f->home_fd, .pad = 0};
    struct registration_row* r = f->home ? books_registration(b, &key) : NULL;
    if (r)
        ledger_drop_registration(b, &key, r, f, true);
}

/* A collision of data may only mean that the incumbent died unseen (close without DEL). */
static __always_inline void ledger_evict_dead(struct books* b, u64 epoll, u64 data,
                                              const struct registration_key* newcomer)
{
    struct registration_key old;
    if (!ledger_index_find(b, epoll, data, &old))
        return;
    if (old.file == newcomer->file && old.fd == newcomer->fd)
        return;
    struct registration_row* r = books_registration(b, &old);
    if (r && books_item_gone(b, &old, r))
        ledger_drop_registration(b, &old, r, books_file(b, old.file), true);
}

/*
 * A row whose file has died unseen (exit, close_range()), and whose address serves another file of the same inode: all
 * eventfds, timerfds, signalfds and epolls have one. The registration that the row knows has gone with the old file;
 * where it knows none, the process that it belonged to is another one.
 */
static __always_inline bool ledger_reborn(struct books* b, const struct file_row* f, const struct posting* p)
{
    if (p->kind != POSTING_ADD || p->result < 0 || f->kind < FILE_EVENTFD || f->kind > FILE_EPOLL)
        return false;
    struct registration_key key = {.epoll = f->home, .file = p->file, .fd = f->home_fd, .pad = 0};
    const struct registration_row* r = f->home ? books_registration(b, &key) : NULL;
    if (r ? !books_item_gone(b, &key, r) : p->tgid == f->tgid)
        return false;
    books_reborn(b, p->file);
    return true;
}

static __always_inline struct file_row* ledger_open_file(struct books* b, const struct posting* p)
{
    struct file_row* f = books_file(b, p->file);
    if (f && (f->ino != p->ino || ledger_reborn(b, f, p))) { /* the kernel reused the struct file: another open file */
        ledger_drop_home(b, f, p->file);
        ledger_remove_file(b, f, p->file);
        f = NULL;
    }
    if (!f) {
        f = books_add_file(b, p->file);
        if (!f)
            return NULL;
        f->ino = p->ino;
        f->tgid = p->tgid;
    }
    f->kind = p->file_kind;
    f->fd = p->fd;
    if (p->flags & POSTING_NONBLOCK)
        f->flags |= FILE_NONBLOCK;
    return f;
}

static __always_inline struct epoll_row* ledger_open_epoll(struct books* b, const struct posting* p)
{
    struct epoll_row* e = books_epoll(b, p->epoll);
    if (e) {
        if (e->fd < 0 && p->epfd >= 0) { /* first seen where its number is not known: by a file of its list (whoever
                                          * holds that may not hold the epoll), or do_epoll_ctl_file() */
            e->fd = p->epfd;
            e->tgid = p->tgid;
        }
        return e;
    }
    e = books_add_epoll(b, p->epoll);
    if (!e)
        return NULL;
    e->created_at = p->time;
    e->tgid = p->tgid;
    e->fd = p->epfd;
    e->file = books_epoll_file(b, p);
    return e;
}

static __always_inline struct thread_row* ledger_open_thread(struct books* b, const struct posting* p)
{
    struct thread_row* t = books_thread(b, p->tid);
    if (t && t->tgid == p->tgid)
        return t;
    if (t) /* the number was reused by another process */
        books_remove_thread(b, p->tid);
    t = books_add_thread(b, p->tid);
    if (t)
        t->tgid = p->tgid;
    return t;
}

/* Was this thread kept from running at some time since `at`? Then what came late is none of the program's doing. */
static __always_inline bool ledger_stopped_since(struct books* b, u32 tid, u64 at)
{
    const struct thread_row* t = books_thread(b, tid);
    return t && t->stopped_at > at;
}

#include "ledger_sharing.h"
#include "ledger_stale.h"
#include "ledger_stall.h"
#include "ledger_failed.h"
#include "ledger_unknown.h"
#include "ledger_ctl.h"
#include "ledger_io.h"
#include "ledger_wait.h"
