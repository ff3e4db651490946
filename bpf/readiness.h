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

static __always_inline void ready_on_queue(struct wait_queue_head *queue, struct posting *p)
{
    struct list_head *head = (void *)queue + bpf_core_field_offset(queue->head);
    struct list_head *at = BPF_CORE_READ(head, next);
    for (int i = 0; i < CHAIN_MAX; i++) {
        if (!at || at == head)
            return;
        struct wait_queue_entry *entry = (void *)at - bpf_core_field_offset(struct wait_queue_entry, entry);
        if ((u64)BPF_CORE_READ(entry, func) == facts.ep_poll_callback) {
            struct eppoll_entry *link = (void *)entry - bpf_core_field_offset(struct eppoll_entry, wait);
            struct epitem *item = BPF_CORE_READ(link, base);
            p->epoll = (u64)BPF_CORE_READ(item, ep);
            p->file = (u64)BPF_CORE_READ(item, ffd.file);
            p->fd = BPF_CORE_READ(item, ffd.fd);
            ledger_ready(NULL, p);
        }
        at = BPF_CORE_READ(at, next);
    }
    books_stat(NULL, STAT_CHAIN_BEYOND);
}

/* Before a write: readers of an eventfd or a pipe that are registered with epoll. */
static __always_inline void ready_by_write(struct file *file, struct posting *p)
{
    if (!file)
        return;
    u64 poll = (u64)poll_of(file);
    void *private = BPF_CORE_READ(file, private_data);
    p->kind = POSTING_READY;
    if (poll == facts.poll[FILE_EVENTFD])
        ready_on_queue(private + bpf_core_field_offset(struct eventfd_ctx, wqh), p);
    else if (poll == facts.poll[FILE_PIPE])
        ready_on_queue(private + bpf_core_field_offset(struct pipe_inode_info, rd_wait), p);
}
