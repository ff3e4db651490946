/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The system call boundary, hook set `tracepoint`.
 *
 * Why raw_syscalls (through tp_btf): it exists wherever BPF does, needs neither tracefs nor ftrace, and
 * at sys_exit all arguments are still in the registers, so one program per call is enough. sys_enter is
 * needed only for what must be seen before it happens: a thread going to sleep, a descriptor going away,
 * a write that makes an eventfd or a pipe readable.
 *
 * What it cannot see: 32-bit calls (counted in STAT_COMPAT_CALLS). Other programs' calls cost one table
 * look-up, those that interest us one hash look-up more.
 */
#pragma once

#include "calls.h"

enum { CALLS_EXIT = 0, CALLS_ENTER = 1 };

static __always_inline u8 class_of(struct pt_regs *regs)
{
    s64 number = call_number(regs); /* -1 in the exit of rt_sigreturn: registers of the interrupted call */
    return (u64)number < CALL_TABLE ? call_classes[number] : CALL_NONE;
}

/* Does a watched process make this call, by the numbers of the native table? */
static __always_inline bool concerns_us(u64 ids)
{
    if (!watched(ids >> 32))
        return false;
    if (is_compat(current_task())) {
        books_stat(NULL, STAT_COMPAT_CALLS);
        return false;
    }
    return true;
}

static __always_inline void call_exits(struct pt_regs *regs, long result)
{
    u8 class = class_of(regs);
    if (!class)
        return;
    u64 ids = bpf_get_current_pid_tgid();
    struct call *c = concerns_us(ids) ? begin_call(CALLS_EXIT, regs, ids, result) : NULL;
    if (c)
        post_exit(c, class);
}

static __always_inline void call_enters(struct pt_regs *regs)
{
    u8 class = class_of(regs); /* before any look-up: most calls matter only when they return */
    if (class != CALL_EPOLL_WAIT && class != CALL_EPOLL_PWAIT2 && class != CALL_CLOSE && class != CALL_DUP2 &&
        class != CALL_WRITE)
        return;
    u64 ids = bpf_get_current_pid_tgid();
    struct call *c = concerns_us(ids) ? begin_call(CALLS_ENTER, regs, ids, 0) : NULL;
    if (!c)
        return;
    if (class == CALL_CLOSE)
        post_close(c, (u32)c->argument[0]);
    else if (class == CALL_DUP2 && c->argument[0] != c->argument[1])
        post_close(c, (u32)c->argument[1]);
    else if (class == CALL_WRITE)
        ready_by_write(file_of_fd(current_task(), (u32)c->argument[0]), &c->posting);
    else if (class == CALL_EPOLL_WAIT || class == CALL_EPOLL_PWAIT2)
        post_wait(c, class);
}

/*
 * Why here: the result is known, and so are the arguments and the state that the call left behind. What
 * it cannot see: a descriptor that another thread closed while this call slept; the file then found
 * under the number is not the one the call used.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
    call_exits(regs, result);
    return 0;
}

/* Why here: after the call the descriptor no longer leads to its file. close() cannot fail for a valid
 * descriptor in a way that leaves it open. */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long number)
{
    call_enters(regs);
    return 0;
}
