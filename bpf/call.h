/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* A system call in progress, as the programs of either hook set hand it on. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "arch.h"
#include "state.h"
#include "tables.h"
#include "item.h"
#include "ledger.h"
#include "readiness.h"

/*
 * A call in progress. Too large for the stack; one per CPU and program. Another instance of the same
 * program on the same CPU cannot get in between: the kernel skips its run (prog->active) and counts that,
 * which a report shows as a loss. It happens where probes can be preempted: trampolines on preemptible
 * kernels, tracepoints since 7.0. bpf_preempt_disable() would not help: the postponed preemption comes with
 * bpf_preempt_enable(), still inside the program.
 */
#define CALL_SLOTS 64
struct call {
    struct posting posting;
    struct registration_key key;
    struct ledger_batch batch;
    u64 argument[5];
    u64 events; /* user address of the returned array */
    u32 which;  /* slot in `calls` */
    u32 kernel_events; /* epoll_ctl's event lies in kernel memory (do_epoll_ctl), not in the caller's */
};

struct call_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, CALL_SLOTS);
    __type(key, u32);
    __type(value, struct call);
};
extern struct call_table calls SEC(".maps");

static __always_inline struct task_struct *current_task(void)
{
    return (struct task_struct *)bpf_get_current_task();
}

static __always_inline struct call *open_call(u32 which, u64 ids, s64 result)
{
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return NULL;
    c->which = which;
    c->kernel_events = 0;
    __builtin_memset(&c->posting, 0, sizeof(c->posting));
    c->posting.time = bpf_ktime_get_ns();
    c->posting.tgid = ids >> 32;
    c->posting.tid = (u32)ids;
    c->posting.result = result;
    return c;
}

static __always_inline struct call *begin_call(u32 which, struct pt_regs *regs, u64 ids, s64 result)
{
    struct call *c = open_call(which, ids, result);
    if (!c)
        return NULL;
    c->argument[0] = call_argument0(regs);
    c->argument[1] = call_argument1(regs);
    c->argument[2] = call_argument2(regs);
    c->argument[3] = call_argument3(regs);
    c->argument[4] = call_argument4(regs);
    return c;
}

static __always_inline void seen(u8 kind)
{
    books_stat(NULL, STAT_CALLS + kind);
}
