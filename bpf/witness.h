/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the ledger asks the kernel in the middle of a posting, because the answer matters only now and then. It is
 * noted in the posting itself: replay has nobody to ask.
 */
#pragma once

#include "state.h"

/* How long a task has waited for a CPU while runnable. Where the kernel does not count that, all the time it was
 * off the CPU is taken for it, so that starvation is never mistaken for sleep. */
static __always_inline u64 delay_of(struct task_struct* task, u64 now, u64 cpu)
{
    if (bpf_core_field_exists(task->sched_info.run_delay))
        return BPF_CORE_READ(task, sched_info.run_delay);
    return now - cpu;
}

static __always_inline void note_usage(struct posting* p, struct task_struct* task)
{
    p->cpu = READ(task, se.sum_exec_runtime);
    p->delay = delay_of(task, p->time, p->cpu);
}

static __always_inline void books_usage(struct books* b, const struct posting* p)
{
    note_usage((struct posting*)p, (struct task_struct*)bpf_get_current_task());
}

static __always_inline bool books_held_elsewhere(struct books* b, const struct posting* p)
{
    bool held = more_references((struct file*)p->file) > 0;
    if (!held)
        ((struct posting*)p)->flags |= POSTING_LAST;
    return held;
}

#define TABLE_ANCESTORS 4

/* The process from which its table of descriptors comes. */
static __always_inline u32 table_of(u32 tgid)
{
    for (int i = 0; i < TABLE_ANCESTORS; i++) {
        const struct process_row* row = bpf_map_lookup_elem(&process_rows, &tgid);
        if (!row || !(row->flags & PROCESS_SHARES))
            break;
        tgid = row->parent;
    }
    return tgid;
}

static __always_inline bool books_same_table(struct books* b, const struct posting* p, u32 tgid)
{
    bool same = table_of(p->tgid) == table_of(tgid);
    if (same)
        ((struct posting*)p)->flags |= POSTING_KIN;
    return same;
}

static __always_inline bool books_leads_to(struct books* b, const struct posting* p, u64 file)
{
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    bool leads = (u64)file_of_fd(task, (u32)p->fd) == file;
    if (leads) /* of the event before, in the same return */
        ((struct posting*)p)->flags &= (u8)~POSTING_STRANGER;
    else
        ((struct posting*)p)->flags |= POSTING_STRANGER;
    return leads;
}
