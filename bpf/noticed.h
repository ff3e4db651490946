/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Processes that are noticed, and not watched: those that a watched one has started, which have become another program and have
 * no epoll. Shells, filters and helpers are many, and have nothing to say about epoll. From the exec at which it is found to
 * hold neither an epoll nor a file that stands in somebody's interest list (the kernel says so: the books still may have rows of
 * files that are gone), a process and what it forks is noticed only: that it was there, what it starts and when it ends. It is watched from the first call that makes, changes or waits for an epoll,
 * leaves a connect() in progress or receives descriptors by message, and so misses nothing of its own epolls.
 *
 * Of its other calls only writes are looked at: they may make a pipe or an eventfd readable that somebody else waits for, and
 * show who wakes whom. What it cannot see: such a process at work on a file that it came to hold before somebody put it into an
 * interest list, or got by pidfd_getfd(). Of these the kernel's own state tells, as of all that is done by strangers.
 */
#pragma once

#include "call.h"
#include "item.h"

static __always_inline void set_noticed(struct process_row* row, bool noticed)
{
    if (!(row->flags & PROCESS_NOTICED) == !noticed)
        return;
    row->flags ^= PROCESS_NOTICED;
    __sync_fetch_and_add(&facts.processes_changed, 1);
}

static __always_inline void watch_from_now_on(u64 ids)
{
    u32 tgid = ids >> 32;
    struct process_row* row = bpf_map_lookup_elem(&process_rows, &tgid);
    if (row)
        set_noticed(row, false);
}

static __always_inline bool is_call_on_epoll(u8 class)
{
    return class == CALL_EPOLL_CREATE || class == CALL_EPOLL_CTL || class == CALL_EPOLL_WAIT ||
           class == CALL_EPOLL_PWAIT2;
}

#define MSG_CONTROLLEN_AT 40 /* in struct msghdr */

/* Did this recvmsg() bring a control message? It may hold descriptors, among them registered ones. */
static __always_inline bool brings_control(u64 header)
{
    u64 length = 0;
    return bpf_probe_read_user(&length, sizeof(length), (void*)(header + MSG_CONTROLLEN_AT)) || length;
}

/* A process that is noticed only makes a call of this class: may it matter? Asked first, since most do not. */
static __always_inline bool noticed_may_matter(u8 class)
{
    return is_call_on_epoll(class) || class == CALL_CONNECT || class == CALL_RECVMSG ||
           (class == CALL_WRITE && facts.pipe_wakers);
}

/* Such a call has returned: does it matter? The process may be watched from now on. */
static __always_inline bool noticed_matters(u8 class, u64 ids, u64 second, s64 result)
{
    if (class == CALL_WRITE)
        return true;
    if ((class == CALL_CONNECT && result != -ERRNO_EINPROGRESS) ||
        (class == CALL_RECVMSG && (result < 0 || !brings_control(second))))
        return false;
    watch_from_now_on(ids);
    return true;
}
