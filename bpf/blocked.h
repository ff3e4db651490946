/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A thread that handles events is woken from a sleep: in which system call did it sleep, for how long, and did it
 * perhaps wait for another thread inside the same stream? Asked at the wake-up, so that calls that do not sleep
 * cost nothing, whatever their number.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "arch.h"
#include "ids.h"
#include "item.h"
#include "ledger.h"
#include "stopped.h"

/*
 * The registers with which a task entered the kernel, as an address for probe reads. bpf_task_pt_regs(): since
 * 5.15 (dd6e10fbd9fb). Before that they lie at the top of the stack: x86-64 has had 16 KiB since 3.15, and the
 * padding above the registers came only with FRED (6.9).
 */
static __always_inline struct pt_regs* entry_registers(struct task_struct* task)
{
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return (struct pt_regs*)bpf_task_pt_regs(task);
#if defined(__TARGET_ARCH_x86)
    void* stack = BPF_CORE_READ(task, stack);
    return stack ? stack + 16384 - 168 : NULL;
#else
    return NULL;
#endif
}

/* bpf_task_pt_regs() takes a task that the verifier knows to be one. */
static __always_inline struct task_struct* waker_task(void)
{
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return (struct task_struct*)bpf_get_current_task_btf();
    return (struct task_struct*)bpf_get_current_task();
}

static __always_inline bool is_read(s64 number)
{
    u8 class = class_of_number(number);
    return class == CALL_READ || class == CALL_READV || class == CALL_RECVFROM || class == CALL_RECVMSG;
}

/* MSG_PEEK takes nothing away. */
static __always_inline bool peeks(struct pt_regs* regs, s64 number)
{
    u8 class = class_of_number(number);
    u64 flags = class == CALL_RECVFROM  ? probe_call_argument3(regs)
                : class == CALL_RECVMSG ? probe_call_argument2(regs)
                                        : 0;
    return flags & (MSG_PEEK_BIT | MSG_ERRQUEUE_BIT);
}

/*
 * The waker runs in release_sock(): it is itself inside a call on the socket whose lock the other one slept for. If
 * both calls are reads of one file, two threads are reading one stream at the same time.
 */
static __always_inline void wakes_reader(struct task_struct* task, struct pt_regs* regs, const struct posting* blocked)
{
    u64 ids = current_ids();
    if (ids >> 32 != blocked->tgid || (u32)ids == blocked->tid)
        return;
    struct pt_regs* other = entry_registers(waker_task());
    s64 number = other ? probe_call_number(other) : -1;
    if (!is_read(number) || peeks(other, number))
        return;
    struct file* file = file_of_fd(task, (u32)probe_call_argument0(regs));
    if (!file || file != file_of_fd(task, (u32)probe_call_argument0(other)))
        return;
    struct posting p = {};
    p.time = blocked->time;
    p.kind = POSTING_OVERLAP;
    p.tgid = blocked->tgid;
    p.tid = blocked->tid;
    p.amount = (u32)ids;
    p.file = (u64)file;
    ledger_overlap(NULL, &p);
    record(&p, RECORD_POSTING);
}

/* Its user stack can be read only in its own context, when the call returns (naps.h). */
static __always_inline void want_nap(struct thread_row* t, const struct posting* p)
{
    if (p->result < (s64)LEDGER_NAP_NS || p->amount < 0)
        return;
    const struct epoll_row* e = books_epoll(NULL, t->epoll);
    if (!e)
        return;
    bool stalls = (e->stacks_wanted & STACK_BLOCKED) && p->amount == e->stall_call;
    bool first = p->result >= (s64)LEDGER_LONG_NAP_NS && !e->stalls && !(e->stacks_taken & STACK_BLOCKED);
    if (!stalls && !first)
        return;
    t->nap_wanted = 1;
    facts.naps_until = p->time + NSEC_PER_SEC;
}

static __always_inline bool is_wait(s64 number)
{
    u8 class = class_of_number(number);
    return class == CALL_EPOLL_WAIT || class == CALL_EPOLL_PWAIT2;
}

/*
 * A stop looks like a sleep: it ends in a wake-up, and the registers still name the call before it. What the task is
 * woken from tells them apart. A sleep "in epoll_wait" after that call has returned is none of the program's either: the
 * kernel holds it back on its way to user space (memory.high, a throttled disk).
 */
static __always_inline void wakes_blocked(struct task_struct* task, struct thread_row* t, u32 tid, bool stopped)
{
    struct posting p = {};
    p.time = bpf_ktime_get_ns();
    p.kind = POSTING_BLOCKED;
    p.tid = tid;
    p.tgid = t->tgid;
    struct pt_regs* regs = entry_registers(task);
    p.amount = regs ? probe_call_number(regs) : -1;
    note_usage(&p, task);
    p.result = (s64)ledger_slept(t, &p);
    if (stopped || (is_wait(p.amount) && !t->waiting))
        p.flags = POSTING_STOPPED;
    ledger_blocked(NULL, &p);
    record(&p, RECORD_POSTING);
    if (p.flags)
        return;
    want_nap(t, &p);
    if (regs && is_read(p.amount) && !peeks(regs, p.amount))
        wakes_reader(task, regs, &p);
}
