/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* struct epitem: the kernel's own idea of a registration, and the witness of ours. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ledger_sweep.h"
#include "state.h"
#include "tables.h"
#include "witness.h"

/*
 * The registrations of a file hang on it through epitem.fllink: up to 5.10 a list in the file, since
 * then an hlist that file->f_ep points to (for a watched epoll file it is eventpoll.refs; the walk is
 * the same). Both link types are two words, and both are walked from the newest: it is at the tail of the
 * list (ep_insert(): list_add_tail_rcu) and at the head of the hlist.
 */
struct item_walk {
    struct hlist_node* at;
    struct hlist_node* end; /* 5.10: the list head; later: NULL */
    u64 link_offset;
};

static __always_inline void walk_items(struct item_walk* w, struct file* file)
{
    struct file___links* old = (void*)file;
    if (bpf_core_field_exists(old->f_ep_links)) {
        asm volatile("" : "+r"(old)::"memory"); /* else clang moves the offset, which is no more, before the question */
        w->end = (void*)old + bpf_core_field_offset(old->f_ep_links);
        w->at = (void*)BPF_CORE_READ(old, f_ep_links.prev);
        w->link_offset = bpf_core_field_offset(struct epitem___links, fllink);
        return;
    }
    struct hlist_head* head = READ(file, f_ep);
    w->end = NULL;
    w->at = head ? READ(head, first) : NULL;
    w->link_offset = bpf_core_field_offset(struct epitem, fllink);
}

static __always_inline struct epitem* next_item(struct item_walk* w)
{
    if (!w->at || w->at == w->end)
        return NULL;
    struct hlist_node* at = w->at; /* a local: CO-RE must not try to relocate our own struct */
    w->at = w->end ? (void*)READ(at, pprev) : READ(at, next); /* list_head.prev is where pprev is */
    /* As a subtraction: clang adds the negated offset, which the verifier (6.12) does not know to be constant. */
    asm volatile("%0 -= %1" : "+r"(at) : "r"(w->link_offset));
    return (void*)at;
}

static __always_inline bool in_an_epoll(struct file* file)
{
    struct item_walk w;
    walk_items(&w, file);
    return w.at && w.at != w.end;
}

/* A walk that a function of its own goes on with: where it is, is a number there. */
static __always_inline void walk_on(struct item_walk* w, u64 file, u64 at)
{
    walk_items(w, (struct file*)file);
    w->at = (void*)at;
}

/* Of an item on the list of this file. */
static __always_inline struct registration_key key_of(struct epitem* item, struct file* file)
{
    struct registration_key key = {.epoll = (u64)READ(item, ep), .file = (u64)file, .fd = READ(item, ffd.fd), .pad = 0};
    return key;
}

static __always_inline bool item_matches(struct epitem* item, const struct registration_key* key)
{
    return (u64)READ(item, ep) == key->epoll && (u64)READ(item, ffd.file) == key->file && READ(item, ffd.fd) == key->fd;
}

/* Is it on the list of its file? The second word of either link leads to what points at it, and both
 * list_del_rcu() and hlist_del_rcu() poison it. */
static __always_inline bool item_linked(struct epitem* item)
{
    struct epitem___links* old = (void*)item;
    struct file___links* file = NULL;
    u64 offset = bpf_core_field_exists(file->f_ep_links) ? bpf_core_field_offset(old->fllink)
                                                         : bpf_core_field_offset(item->fllink);
    struct hlist_node* link = (void*)item + offset;
    struct hlist_node* back = (void*)READ(link, pprev);
    return READ(back, next) == link;
}

/* Where on the list of its file is it? ITEM_BEYOND: not as far as that is looked through. Global (shared.bpf.c): a loop
 * in each place that asks would be a good part of all code. */
#define ITEM_BEYOND 1
u64 look_for_item(u64 epoll, u64 file, u32 fd);

static __always_inline u64 find_item_at(const struct registration_key* key)
{
    return look_for_item(plain(key->epoll), plain(key->file), (u32)key->fd);
}

static __always_inline struct epitem* find_item(const struct registration_key* key)
{
    u64 item = find_item_at(key);
    if (item != ITEM_BEYOND)
        return (struct epitem*)item;
    books_stat(NULL, STAT_CHAIN_BEYOND);
    return NULL;
}

/* A freed epitem may be read (by probe_read) but then names another registration, or was reused for the
 * very same one, which is no harm. Freed and not yet overwritten it still looks alive: its link decides.
 * No walk where the item is known: a listener may be in the epolls of a hundred workers. It is not yet between the
 * booking of an ADD and remember_item(), nor after a MOD of what nobody had seen added. */
static __always_inline bool item_gone(const struct registration_key* key, const struct registration_row* r)
{
    struct epitem* item = (void*)r->item;
    if (!item)
        return !find_item_at(key);
    return !item_matches(item, key) || !item_linked(item);
}

static __always_inline bool books_item_gone(struct books* b, const struct registration_key* key,
                                            const struct registration_row* r)
{
    bool gone = item_gone(key, r);
    if (gone)
        record_gone(RECORD_GONE, key->epoll, key->file, key->fd);
    return gone;
}

static __always_inline void books_reborn(struct books* b, u64 file) { record_gone(RECORD_FILE_GONE, 0, file, 0); }

/* ONESHOT: has it fired since this ADD or MOD, by a thread that was faster than the end of the call? Then the item
 * has lost what it wanted already. */
static __always_inline void note_refired(struct posting* p)
{
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    if (!(p->mask & EV_ONESHOT) || p->result < 0)
        return;
    struct registration_row* r = p->kind == POSTING_MOD ? books_registration(NULL, &key) : NULL;
    struct epitem* item = r && r->item ? (struct epitem*)r->item : find_item(&key);
    if (item && item_matches(item, &key) && !(READ(item, event.events) & ~EV_PRIVATE))
        p->flags |= POSTING_REFIRED;
}

/* In the context of the caller; the seed runs in ours, and knows the file itself. */
static __always_inline u64 books_epoll_file(struct books* b, const struct posting* p)
{
    if (p->epfd < 0 || p->kind == POSTING_SEEDED)
        return 0;
    return (u64)file_of_fd((struct task_struct*)bpf_get_current_task(), (u32)p->epfd);
}

static __always_inline struct registration_row* remember_item(const struct posting* p)
{
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    if (p->result < 0)
        return NULL;
    struct registration_row* r = books_registration(NULL, &key);
    if (r)
        r->item = (u64)find_item(&key);
    return r;
}

static __always_inline bool item_is_ready(struct epitem* item)
{
    void* self = (void*)item + bpf_core_field_offset(item->rdllink);
    return (void*)READ(item, rdllink.next) != self;
}

/* Last words: a past that a rule may want, kept for user space. */
static __always_inline void books_bury(struct books* b, const struct registration_key* key, struct registration_row* r,
                                       struct file_row* f, const struct fault_row* x, const struct run_row* runs,
                                       bool file_dies)
{
    record_registration_totals(key, r, runs);
    if (!f || !ledger_past_matters(r, f, x, file_dies))
        return;
    struct sweep_record* words = bpf_ringbuf_reserve(&buried, sizeof(*words), 0);
    if (!words) {
        books_stat(b, STAT_MESSAGES_BEYOND);
        return;
    }
    words->file_id = key->file;
    words->file = *f;
    if (x)
        words->fault = *x;
    else
        __builtin_memset(&words->fault, 0, sizeof(words->fault));
    __builtin_memset(&words->state, 0, sizeof(words->state));
    __builtin_memset(&words->name, 0, sizeof(words->name));
    words->live_mask = 0;
    words->chain = 0;
    words->ready = 0;
    words->key = *key;
    words->registration = *r;
    if (runs)
        words->runs = *runs;
    else
        __builtin_memset(&words->runs, 0, sizeof(words->runs));
    words->time = bpf_ktime_get_ns();
    words->buried = 1;
    bpf_ringbuf_submit(words, 0);
}
