/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Rows that come and go. Included by ledger.h. */
#pragma once

/* Its runs of futile returns; NULL: it has had none. */
static __always_inline struct run_row* ledger_run(struct books* b, const struct registration_key* key,
                                                  const struct registration_row* r)
{
    return r->ran ? books_run(b, key) : NULL;
}

/* The same where one begins now; NULL: the table is full (counted). */
static __always_inline struct run_row* ledger_run_row(struct books* b, const struct registration_key* key,
                                                      struct registration_row* r)
{
    struct run_row* x = ledger_run(b, key, r);
    if (x)
        return x;
    x = books_add_run(b, key);
    if (x)
        r->ran = 1;
    return x;
}

static __always_inline void ledger_end_run(struct books* b, const struct registration_key* key,
                                           struct registration_row* r)
{
    struct run_row* x = r->run > r->best_run ? ledger_run(b, key, r) : NULL;
    if (x) {
        r->best_run = r->run;
        x->best_at = x->at;
        x->best_ns = x->last_at - x->at;
        x->best_events = x->events;
        x->best_mask = r->mask; /* a MOD that ends a run has not changed it yet */
        x->best_calls = x->calls;
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
    ledger_end_run(b, key, r);
    books_bury(b, key, r, f, f ? ledger_fault(b, f, key->file) : NULL, ledger_run(b, key, r), file_dies);
    u64 data = r->data;
    bool client = r->flags & REGISTRATION_CLIENT;
    bool ran = r->ran;
    if (!books_remove_registration(b, key))
        return;
    if (ran)
        books_remove_run(b, key);
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
    bool unmade = f && !f->ino && p->ino; /* a thread that adds it to another epoll is about to fill it in */
    if (f && !unmade &&
        (f->ino != p->ino || ledger_reborn(b, f, p))) { /* the kernel reused the struct file: another open file */
        ledger_drop_home(b, f, p->file);
        ledger_remove_file(b, f, p->file);
        f = NULL;
    }
    if (!f) {
        f = books_add_file(b, p->file);
        if (!f)
            return NULL;
        unmade = true;
    }
    if (unmade) {
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
