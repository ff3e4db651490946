/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Is a task kept from running by something other than itself: SIGSTOP and job control, a debugger, a frozen cgroup,
 * suspend? Asked at its wake-up, when its state is still the one it slept in, and by the sweep.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

static __always_inline u64 task_state(struct task_struct* task)
{
    struct task_struct___state* old = (void*)task;
    if (bpf_core_field_exists(old->state)) {
        asm volatile("" : "+r"(old)::"memory"); /* else clang moves the offset, which is no more, before the question */
        return (u64)BPF_CORE_READ(old, state);
    }
    return READ(task, __state);
}

/* All but the trap of the cgroup v2 freezer. The v1 freezer also takes tasks that sleep in a call, as they sleep. */
static __always_inline bool task_halted(struct task_struct* task)
{
    return (task_state(task) & (TASK_STOPPED_BIT | TASK_TRACED_BIT | TASK_FROZEN_BIT)) ||
           (READ(task, flags) & PF_FROZEN_BIT);
}

/* The trap is an interruptible sleep on the way back to user space. Its jobctl bit is taken back before the wake-up,
 * `frozen` by the task itself afterwards. */
static __always_inline bool task_stopped(struct task_struct* task)
{
    if (task_halted(task))
        return true;
    return bpf_core_field_exists(task->frozen) && BPF_CORE_READ_BITFIELD_PROBED(task, frozen);
}
