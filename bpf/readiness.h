/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Readiness without ep_poll_callback(): who is about to be told? A wait queue's entries whose func is
 * ep_poll_callback are eppoll_entries, and each leads to its epitem.
 */
#pragma once

#include "item.h"
#include "state.h"
#include "tables.h"
#include "ledger.h"

/* Callbacks come from everybody's epolls. */
static __always_inline void record_ready(struct posting* p)
{
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    if (recording && books_registration(NULL, &key))
        record(p, RECORD_POSTING);
}

static __always_inline void ready_on_queue(struct wait_queue_head* queue, struct posting* p)
{
    struct list_head* head = (void*)queue + bpf_core_field_offset(queue->head);
    struct list_head* at = READ(head, next);
    for (int i = 0; i < CHAIN_MAX; i++) {
        if (!at || at == head)
            return;
        struct wait_queue_entry* entry = (void*)at - bpf_core_field_offset(struct wait_queue_entry, entry);
        if ((u64)READ(entry, func) == facts.ep_poll_callback) {
            struct eppoll_entry* link = (void*)entry - bpf_core_field_offset(struct eppoll_entry, wait);
            struct epitem* item = READ(link, base);
            p->epoll = (u64)READ(item, ep);
            p->file = (u64)READ(item, ffd.file);
            p->fd = READ(item, ffd.fd);
            ledger_ready(NULL, p);
            record_ready(p);
        }
        at = READ(at, next);
    }
    books_stat(NULL, STAT_READINESS_SKIPPED); /* these are not dated; the delivery tells */
}

/* Before a write: the queue of those who would be told, for an eventfd or a pipe; else NULL. */
static __always_inline struct wait_queue_head* told_by_write(struct file* file)
{
    if (!file)
        return NULL;
    u64 poll = (u64)poll_of(file);
    void* private = READ(file, private_data);
    if (poll == facts.poll[FILE_EVENTFD])
        return private + bpf_core_field_offset(struct eventfd_ctx, wqh);
    if (poll == facts.poll[FILE_PIPE])
        return private + bpf_core_field_offset(struct pipe_inode_info, rd_wait);
    return NULL;
}
