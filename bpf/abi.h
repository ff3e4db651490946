/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * 32-bit programs (i386, x32, AArch32) call the kernel by other numbers and with other structures, and enter it elsewhere.
 * They are not watched: nothing of them is booked, and each is a loss that the report tells. What kind a program is says
 * the size of its address space, which is set by exec and means the same on every kernel and architecture.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "tables.h"

#define ADDRESSES_32BIT (1ULL << 32)

static __always_inline bool is_32bit(struct task_struct* task)
{
    struct mm_struct* mm = READ(task, mm);
    u64 size = mm ? (u64)READ(mm, task_size) : 0;
    return size && size <= ADDRESSES_32BIT;
}

static __always_inline void count_32bit(struct task_struct* task, u32 tgid)
{
    books_stat(NULL, STAT_PROCESSES_32BIT);
    if (facts.tgid_32bit)
        return;
    facts.tgid_32bit = tgid;
    BPF_CORE_READ_STR_INTO(&facts.comm_32bit, task, comm);
}

/* Its program may be another one than before. */
static __always_inline void meet_program(struct task_struct* task, struct process_row* row, u32 tgid)
{
    bool was = row->flags & PROCESS_32BIT;
    bool is = is_32bit(task);
    if (was == is)
        return;
    row->flags ^= PROCESS_32BIT;
    __sync_fetch_and_add(&facts.processes_changed, 1);
    if (is)
        count_32bit(task, tgid);
}
