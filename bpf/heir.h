/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Programs that came by an epoll through exec (EP603). Many close what they were not meant to have as the first thing
 * they do, by close(), close_range() or otherwise: so they are asked whether they still have it, by the sweep and when
 * they end.
 */
#pragma once

#include "ids.h"
#include "item.h"
#include "state.h"
#include "tables.h"
#include "ledger.h"

static __always_inline void heir_let_go(struct process_row* heir, u32 tgid, u32 slot)
{
    struct posting p = {};
    p.time = bpf_ktime_get_ns();
    p.kind = POSTING_EXEC;
    p.flags = POSTING_LET_GO;
    p.tgid = tgid;
    p.epfd = heir->leaked_fd[slot];
    p.epoll = heir->leaked[slot];
    heir->leaked[slot] = 0;
    ledger_exec(NULL, &p);
    record(&p, RECORD_POSTING);
}

/* All that it came by, or `one` of them. */
static __always_inline void ask_heir(struct task_struct* task, struct process_row* heir, u32 tgid, u64 one)
{
    for (u32 slot = 0; slot < LEAKED_EPOLLS; slot++) {
        u64 epoll = heir->leaked[slot];
        if (epoll && (!one || epoll == one) && epoll_of_fd(task, (u32)heir->leaked_fd[slot]) != epoll)
            heir_let_go(heir, tgid, slot);
    }
}

/* The sweep: the newest heir of an epoll. One that has ended is not there any more, or is about to be asked. */
static __always_inline void ask_newest_heir(u64 id, const struct epoll_row* e)
{
    u32 tgid = e->leaked_tgid;
    struct process_row* heir = e->leaks ? bpf_map_lookup_elem(&process_rows, &tgid) : NULL;
    struct task_struct* task = heir ? (void*)heir->leaked_task : NULL;
    if (task && tgid_of(task) == tgid && READ(task, files))
        ask_heir(task, heir, tgid, id);
}

/* Those beyond the last slot are never asked. */
static __always_inline void remember_heir(struct process_row* heir, struct task_struct* task, u64 epoll, s32 fd)
{
    for (u32 slot = 0; slot < LEAKED_EPOLLS; slot++) {
        if (heir->leaked[slot])
            continue;
        heir->leaked_fd[slot] = fd;
        heir->leaked_task = (u64)task;
        heir->leaked[slot] = epoll;
        return;
    }
}
