/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Process and thread numbers as the pid namespace of epaudit has them: those that its user gives, that /proc shows and
 * that a report names. Where that is the machine's first namespace they are the kernel's own numbers; in a container they
 * are read from struct pid, whose `numbers` has one for each namespace from the first down to the task's own. A task that
 * our namespace does not hold has none: 0, which nobody watches.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "tables.h"

extern const volatile bool in_container; /* set by the loader: ours is not the first pid namespace */

#define PID_LEVELS 64 /* a power of two above MAX_PID_NS_LEVEL (32) */

static __always_inline struct upid* number_at(struct pid* pid, u32 level)
{
    return (void*)pid + bpf_core_field_offset(pid->numbers) +
           (u64)(level & (PID_LEVELS - 1)) * bpf_core_type_size(struct upid);
}

static __noinline u32 number_in_container(struct pid* pid)
{
    u32 level = facts.pid_level;
    if (!pid || BPF_CORE_READ(pid, level) < level)
        return 0;
    struct upid* number = number_at(pid, level);
    return (u64)BPF_CORE_READ(number, ns) == facts.pid_namespace ? (u32)BPF_CORE_READ(number, nr) : 0;
}

static __always_inline u32 number_of(struct pid* pid)
{
    if (in_container)
        return number_in_container(pid);
    return pid ? (u32)BPF_CORE_READ(pid, numbers[0].nr) : 0;
}

static __always_inline u32 tid_of(struct task_struct* task)
{
    return in_container ? number_in_container(READ(task, thread_pid)) : (u32)READ(task, pid);
}

static __always_inline u32 tgid_of(struct task_struct* task)
{
    return in_container ? number_in_container(READ(task, group_leader, thread_pid)) : (u32)READ(task, tgid);
}

/* As bpf_get_current_pid_tgid(): tgid << 32 | tid. */
static __always_inline u64 current_ids(void)
{
    if (!in_container)
        return bpf_get_current_pid_tgid();
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    u32 tgid = tgid_of(task);
    return tgid ? (u64)tgid << 32 | tid_of(task) : 0; /* most of the machine is outside: one look is enough */
}

/* Once, in the context of epaudit itself. */
static __always_inline void learn_pid_namespace(void)
{
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct pid* pid = READ(task, thread_pid);
    u32 level = BPF_CORE_READ(pid, level);
    struct upid* number = number_at(pid, level);
    facts.pid_level = level;
    facts.pid_namespace = (u64)BPF_CORE_READ(number, ns);
}
