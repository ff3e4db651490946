/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* struct epitem: the kernel's own idea of a registration, and the witness of ours. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ledger_sweep.h"
#include "tables.h"

/*
 * The registrations of a file hang on it through epitem.fllink: up to 5.10 a list in the file, since
 * then an hlist that file->f_ep points to (for a watched epoll file it is eventpoll.refs; the walk is
 * the same). Both link types begin with `next`.
 */
struct item_walk {
    struct hlist_node *at;
    struct hlist_node *end; /* 5.10: the list head; later: NULL */
    u64 link_offset;
};

static __always_inline void walk_items(struct item_walk *w, struct file *file)
{
    struct file___links *old = (void *)file;
    if (bpf_core_field_exists(old->f_ep_links)) {
        w->end = (void *)old + bpf_core_field_offset(old->f_ep_links);
        w->at = (void *)BPF_CORE_READ(old, f_ep_links.next);
        w->link_offset = bpf_core_field_offset(struct epitem___links, fllink);
        return;
    }
    struct hlist_head *head = BPF_CORE_READ(file, f_ep);
    w->end = NULL;
    w->at = head ? BPF_CORE_READ(head, first) : NULL;
    w->link_offset = bpf_core_field_offset(struct epitem, fllink);
}

static __always_inline struct epitem *next_item(struct item_walk *w)
{
    if (!w->at || w->at == w->end)
        return NULL;
    struct hlist_node *at = w->at; /* a local: CO-RE must not try to relocate our own struct */
    w->at = BPF_CORE_READ(at, next);
    return (void *)at - w->link_offset;
}

static __always_inline bool item_matches(struct epitem *item, const struct registration_key *key)
{
    return (u64)BPF_CORE_READ(item, ep) == key->epoll && (u64)BPF_CORE_READ(item, ffd.file) == key->file &&
           BPF_CORE_READ(item, ffd.fd) == key->fd;
}

/* A freed epitem may be read (by probe_read) but then names another registration, or was reused for the
 * very same one, which is no harm. Freed and not yet overwritten it still looks alive: the list of its
 * file decides. */
static __always_inline struct epitem *find_item(struct file *file, const struct registration_key *key)
{
    struct item_walk w;
    walk_items(&w, file);
    for (int i = 0; i < CHAIN_MAX; i++) {
        struct epitem *item = next_item(&w);
        if (!item)
            return NULL;
        if (item_matches(item, key))
            return item;
    }
    books_stat(NULL, STAT_CHAIN_BEYOND);
    return NULL;
}

static __always_inline bool books_item_gone(struct books *b, const struct registration_key *key,
                                            const struct registration_row *r)
{
    struct file *file = (void *)key->file;
    return !r->item || !find_item(file, key);
}

static __always_inline void remember_item(const struct posting *p)
{
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    if (p->result < 0)
        return;
    struct registration_row *r = books_registration(NULL, &key);
    if (r)
        r->item = (u64)find_item((struct file *)p->file, &key);
}

static __always_inline bool item_is_ready(struct epitem *item)
{
    void *self = (void *)item + bpf_core_field_offset(item->rdllink);
    return (void *)BPF_CORE_READ(item, rdllink.next) != self;
}

/* Last words: a past that a rule may want, kept for user space. */
static __always_inline void books_bury(struct books *b, const struct registration_key *key,
                                       struct registration_row *r, struct file_row *f, bool file_dies)
{
    if (!f || !ledger_past_matters(r, f, file_dies))
        return;
    struct sweep_record *words = bpf_ringbuf_reserve(&buried, sizeof(*words), 0);
    if (!words) {
        books_stat(b, STAT_MESSAGES_BEYOND);
        return;
    }
    __builtin_memset(words, 0, sizeof(*words));
    words->file_id = key->file;
    words->file = *f;
    words->key = *key;
    words->registration = *r;
    words->time = bpf_ktime_get_ns();
    words->buried = 1;
    bpf_ringbuf_submit(words, 0);
}
