/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Programs that came by an epoll through exec (EP603). Many close what they were not meant to have as the first thing
 * they do, by close(), close_range() or otherwise: so they are asked whether they still have it, by the sweep and when
 * they end.
 */
#pragma once

#include "item.h"
#include "state.h"
#include "tables.h"
#include "ledger.h"

static __always_inline void heir_let_go(struct process_row *heir, u32 tgid)
{
    struct posting p = {};
    p.time = bpf_ktime_get_ns();
    p.kind = POSTING_EXEC;
    p.flags = POSTING_LET_GO;
    p.tgid = tgid;
    p.epfd = heir->leaked_fd;
    p.epoll = heir->leaked;
    heir->leaked = 0;
    ledger_exec(NULL, &p);
    record(&p, RECORD_POSTING);
}

/* The sweep: the newest heir of an epoll. One that has ended is not there any more, or is about to be asked. */
static __always_inline void ask_heir(u64 id, const struct epoll_row *e)
{
    u32 tgid = e->leaked_tgid;
    struct process_row *heir = e->leaks ? bpf_map_lookup_elem(&process_rows, &tgid) : NULL;
    if (!heir || heir->leaked != id)
        return;
    struct task_struct *task = (void *)heir->leaked_task;
    if (READ(task, tgid) != (s32)tgid || !READ(task, files))
        return;
    if (epoll_of_fd(task, (u32)heir->leaked_fd) != id)
        heir_let_go(heir, tgid);
}
