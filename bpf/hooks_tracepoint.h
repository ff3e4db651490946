/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The system call boundary, hook set `tracepoint`.
 *
 * Why raw_syscalls (through tp_btf): it exists wherever BPF does, needs neither tracefs nor ftrace, and
 * at sys_exit all arguments are still in the registers, so one program per call is enough. sys_enter is
 * needed only for what must be seen before it happens: a thread going to sleep, a descriptor going away,
 * a write that makes an eventfd or a pipe readable.
 *
 * What it cannot see: 32-bit calls (counted in STAT_COMPAT_CALLS). Other programs' calls cost one load and one test
 * (may_be_watched()), which therefore comes first everywhere.
 */
#pragma once

#include "calls.h"
#include "naps.h"
#include "noticed.h"

enum { CALLS_EXIT = 0, CALLS_ENTER = 1 };

static __always_inline u8 class_of(struct pt_regs* regs)
{
    return class_of_number(call_number(regs)); /* -1 in the exit of rt_sigreturn: registers of the interrupted call */
}

/* Does a watched process make this call, by the numbers of the native table? */
static __always_inline u32 concerns_us(u64 ids)
{
    u32 how = how_watched(ids >> 32);
    if (how == WATCHED && is_compat(current_task())) {
        books_stat(NULL, STAT_COMPAT_CALLS);
        return NOT_WATCHED;
    }
    return how;
}

/* One that is noticed only. Whether it is a 32-bit call is asked of the few that may matter. */
static __always_inline bool noticed_exit_matters(struct pt_regs* regs, u8 class, u64 ids, s64 result)
{
    return noticed_may_matter(class) && !is_compat(current_task()) &&
           noticed_matters(class, ids, call_argument1(regs), result);
}

static __always_inline void call_exits(u32 slot, struct pt_regs* regs, long result)
{
    u8 class = class_of(regs);
    if (!class)
        return;
    u64 ids = current_ids();
    u32 how = concerns_us(ids);
    if (!how || (how == NOTICED && !noticed_exit_matters(regs, class, ids, result)))
        return;
    struct call* c = begin_call(slot, regs, ids, result);
    if (c)
        post_exit(c, class);
}

/* A function of its own, not in line, so that its stack and its registers are no matter of those that are not watched. */
static __noinline int call_exits_or_wakes(u32 slot, struct pt_regs* regs, long result)
{
    if (naps_wanted())
        nap_returns(slot, regs);
    call_exits(slot, regs, result);
    return 0;
}

static __noinline int call_enters(u32 slot, struct pt_regs* regs)
{
    u8 class = class_of(regs); /* before any look-up: most calls matter only when they return */
    bool may_sleep = facts.blocking_edges && ((class >= CALL_READ && class <= CALL_SENDMMSG) || class == CALL_ACCEPT);
    if (class != CALL_EPOLL_WAIT && class != CALL_EPOLL_PWAIT2 && class != CALL_CLOSE && class != CALL_DUP2 &&
        class != CALL_DUP3 && class != CALL_CLOSE_RANGE && !(class == CALL_WRITE && facts.wake_files) && !may_sleep)
        return 0;
    u64 ids = current_ids();
    u32 how = concerns_us(ids);
    if (!how)
        return 0;
    if (how == NOTICED) {
        if (!(is_call_on_epoll(class) || class == CALL_WRITE) || is_compat(current_task()))
            return 0;
        may_sleep = false;
        if (class != CALL_WRITE)
            watch_from_now_on(ids);
    }
    struct wait_queue_head* told = NULL;
    if (class == CALL_WRITE) { /* most go to sockets, which have a tracepoint of their own */
        told = told_by_write(file_of_fd(current_task(), (u32)call_argument0(regs)));
        if (!told && !may_sleep)
            return 0;
    }
    struct call* c = begin_call(slot, regs, ids, 0);
    if (!c)
        return 0;
    if (may_sleep)
        post_enter(c, class);
    if (class == CALL_CLOSE) {
        post_close(c, (u32)c->argument[0]);
    } else if (class == CALL_DUP2 || class == CALL_DUP3) {
        post_dup(c, class);
    } else if (class == CALL_CLOSE_RANGE) {
        post_close_range(c);
    } else if (class == CALL_WRITE) {
        if (!told)
            return 0;
        stamp(c);
        c->posting.kind = POSTING_READY;
        ready_on_queue(told, &c->posting);
    } else if (!may_sleep) {
        post_wait(c, class);
    }
    return 0;
}

/*
 * Why here: the result is known, and so are the arguments and the state that the call left behind. What
 * it cannot see: a descriptor that another thread closed while this call slept; the file then found
 * under the number is not the one the call used.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs* regs, long result)
{
    u64 caller = bpf_get_current_pid_tgid();
    leave_mark_of(caller, CALLS_EXIT);
    return may_be_watched(caller >> 32) ? call_exits_or_wakes(CALLS_EXIT, regs, result) : 0;
}

/* Programs of a tracepoint run in the order in which they were attached, which is that of this file. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit_twin, struct pt_regs* regs, long result)
{
    const u32 slot = TWIN_OF(CALLS_EXIT);
    return twin_is_idle(CALLS_EXIT, slot) ? 0 : call_exits_or_wakes(slot, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit_third, struct pt_regs* regs, long result)
{
    const u32 slot = THIRD_OF(CALLS_EXIT);
    return third_is_idle(CALLS_EXIT, TWIN_OF(CALLS_EXIT), slot) ? 0 : call_exits_or_wakes(slot, regs, result);
}

/* Why here: after the call the descriptor no longer leads to its file. close() cannot fail for a valid
 * descriptor in a way that leaves it open. */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs* regs, long number)
{
    u64 caller = bpf_get_current_pid_tgid();
    leave_mark_of(caller, CALLS_ENTER);
    return may_be_watched(caller >> 32) ? call_enters(CALLS_ENTER, regs) : 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter_twin, struct pt_regs* regs, long number)
{
    const u32 slot = TWIN_OF(CALLS_ENTER);
    return twin_is_idle(CALLS_ENTER, slot) ? 0 : call_enters(slot, regs);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter_third, struct pt_regs* regs, long number)
{
    const u32 slot = THIRD_OF(CALLS_ENTER);
    return third_is_idle(CALLS_ENTER, TWIN_OF(CALLS_ENTER), slot) ? 0 : call_enters(slot, regs);
}
