/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where a handler slept: the user stack of a blocking call, taken when that call returns. Which calls are wanted is
 * decided at their wake-up (blocked.h), so that all others cost one comparison at most. Hook set `tracepoint` asks in
 * on_sys_exit; `trampoline`, which does not see calls that move no data, has a program for it that user space attaches
 * only while a stall waits to be explained.
 */
#pragma once

#include "call.h"
#include "stacks.h"

static __always_inline bool naps_wanted(void)
{
    u64 until = facts.naps_until;
    return until && bpf_ktime_get_ns() < until;
}

static __always_inline void nap_returns(u32 slot, struct pt_regs* regs)
{
    u64 ids = current_ids();
    struct thread_row* t = books_thread(NULL, (u32)ids);
    if (!t || !t->nap_wanted || t->nap_call != (s32)call_number(regs))
        return;
    t->nap_wanted = 0;
    struct epoll_row* e = books_epoll(NULL, t->epoll);
    struct call* c = e ? open_call(slot, ids, 0) : NULL;
    if (!c)
        return;
    c->posting.epoll = t->epoll;
    take_of_epoll(slot, e, STACK_BLOCKED);
}
