/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * System call number and arguments at the raw_syscalls tracepoints. On x86-64 all six argument registers
 * survive to sys_exit. On arm64 regs[0] has been overwritten with the result by then: the first argument
 * is in orig_x0.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#if defined(__TARGET_ARCH_x86)

#define EPOLL_EVENT_SIZE 12
#define EPOLL_EVENT_DATA 4

static __always_inline s64 call_number(struct pt_regs* regs) { return (s64)regs->orig_ax; }

#define call_argument0(regs) ((u64)(regs)->di)
#define call_argument1(regs) ((u64)(regs)->si)
#define call_argument2(regs) ((u64)(regs)->dx)
#define call_argument3(regs) ((u64)(regs)->r10)
#define call_argument4(regs) ((u64)(regs)->r8)

/* The same where the verifier does not know that the pointer leads to registers. */
#define probe_call_argument0(regs) BPF_CORE_READ(regs, di)
#define probe_call_argument1(regs) BPF_CORE_READ(regs, si)
#define probe_call_argument2(regs) BPF_CORE_READ(regs, dx)
#define probe_call_argument3(regs) BPF_CORE_READ(regs, r10)
#define probe_call_argument4(regs) BPF_CORE_READ(regs, r8)

static __always_inline s64 probe_call_number(struct pt_regs* regs) { return (s64)BPF_CORE_READ(regs, orig_ax); }

/* Where the user's code stands, by a probe read. USER_REGISTERS: words of struct pt_regs as user space knows it. */
#define user_instruction(regs) ((u64)READ(regs, ip))
#define user_link(regs) 0ULL /* who called stands on the stack */
#define user_stack_pointer(regs) ((u64)READ(regs, sp))
#define user_frame_pointer(regs) ((u64)READ(regs, bp))
#define USER_REGISTERS 21

/* Does code, of which these are eight bytes, end in a call? E8 and four bytes, or FF /2 and none to five. */
static __always_inline bool ends_in_call(u64 code)
{
    return ((code >> 24) & 0xff) == 0xe8 || ((code >> 48) & 0x38ff) == 0x10ff || ((code >> 40) & 0x38ff) == 0x10ff ||
           ((code >> 32) & 0x38ff) == 0x10ff || ((code >> 16) & 0x38ff) == 0x10ff || ((code >> 8) & 0x38ff) == 0x10ff;
}

/* C arguments at a function's entry (kprobe). */
#define probe_argument0(regs) ((u64)(regs)->di)
#define probe_argument3(regs) ((u64)(regs)->cx)

/* 32-bit calls have another table of numbers; they are counted, not looked at. */
static __always_inline bool is_compat(struct task_struct* task)
{
    return READ(task, thread_info.status) & TS_COMPAT_BIT;
}

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs___call {
    u64 regs[31];
    u64 sp;
    u64 pc;
    u64 orig_x0;
    s32 syscallno;
} __attribute__((preserve_access_index));

#define EPOLL_EVENT_SIZE 16
#define EPOLL_EVENT_DATA 8

static __always_inline s64 call_number(struct pt_regs* regs)
{
    return BPF_CORE_READ((struct pt_regs___call*)regs, syscallno);
}

#define call_argument0(r) BPF_CORE_READ((struct pt_regs___call*)(r), orig_x0)
#define call_argument1(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[1])
#define call_argument2(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[2])
#define call_argument3(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[3])
#define call_argument4(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[4])

#define probe_call_number call_number
#define probe_call_argument0 call_argument0
#define probe_call_argument1 call_argument1
#define probe_call_argument2 call_argument2
#define probe_call_argument3 call_argument3
#define probe_call_argument4 call_argument4

#define user_instruction(r) BPF_CORE_READ((struct pt_regs___call*)(r), pc)
#define user_link(r) \
    BPF_CORE_READ((struct pt_regs___call*)(r), regs[30]) /* who called, if a function calls nobody itself */
#define user_stack_pointer(r) BPF_CORE_READ((struct pt_regs___call*)(r), sp)
#define user_frame_pointer(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[29])
#define USER_REGISTERS 34

/* BL, BLR. */
static __always_inline bool ends_in_call(u64 code)
{
    return (code >> 58) == 0x25 || ((code >> 32) & 0xfffffc1f) == 0xd63f0000;
}

#define probe_argument0(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[0])
#define probe_argument3(r) BPF_CORE_READ((struct pt_regs___call*)(r), regs[3])

static __always_inline bool is_compat(struct task_struct* task) { return false; }

#else
#error "this architecture has no register mapping yet"
#endif
