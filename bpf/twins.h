/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Two programs on one hook, where probes can be preempted.
 *
 * A program that runs raises prog->active on its CPU. If the task is preempted inside it (trampolines on
 * preemptible kernels; tracepoints since 7.0), every other task's run of the same program on that CPU is
 * skipped until the first one continues. bpf_preempt_disable() does not help: the postponed preemption comes
 * with bpf_preempt_enable(), still inside the program. So the hook gets a second program with a prog->active
 * of its own. The first, which runs first, leaves a mark at its thread; the twin takes it away. No mark: the
 * first was skipped, and the twin stands in for it.
 *
 * The account is exact. Marks are kept for all threads, watched or not, because the kernel counts what it
 * skips for all of them: what it skipped of the firsts (recursion_misses), less STAT_STOOD_IN, is what both
 * of a pair missed. That a twin is skipped while its first runs does no harm: the mark it leaves behind is
 * overwritten by the next run of the first. (Should that be skipped as well, the twin takes the old mark for
 * a new one: one more that is missed, and counted as such.)
 *
 * All system calls share the two hooks of set `tracepoint`, so that a busy CPU often has one task that was preempted
 * in the first program, another in its twin, and a third that wants either. There a third program stands in for both
 * (measured on 7.2 with 30 programs on one CPU: 2,993 runs skipped of the first, and 11 of both).
 *
 * Rejected: small programs on the hook that tail-call one which does the work, so that it is loaded only once. The
 * kernel asks only the program that is attached whether it runs on this CPU already, so the one that is called would
 * run several times at once there, on one stack: since 6.13 a tracing program's stack may be one per CPU instead of the
 * task's ("private stack"). Tried on 7.2: a bad pointer in the kernel, and its end.
 */
#pragma once

#include "rows.h"

/* Beside enum ledger_stat. None of these is a loss. */
enum twin_stat {
    STAT_STOOD_IN = 53,      /* a twin or a third did the work of a skipped program */
    STAT_UNMARKED = 54,      /* a program ran without leaving a mark, for want of memory: its twin may do it again */
    STAT_TWINS_SKIPPED = 55, /* the kernel skipped a twin or a third; filled in by the reader */
};

#ifdef __cplusplus
static_assert(u32{STAT_CALLS} + u32{POSTING_KINDS} <= u32{STAT_STOOD_IN} && u32{STAT_TWINS_SKIPPED} < u32{STAT_SLOTS});
#else
#include <bpf/bpf_helpers.h>
#include "ids.h"
#include "tables.h"

struct mark_table {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, u32); /* 1 + the slot of who did the work of a hook last; 0: those behind it have seen it */
};
extern struct mark_table marks SEC(".maps");

static __always_inline u32* mark_of_thread(void)
{
    return bpf_task_storage_get(&marks, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/*
 * Those who are not watched have nothing posted, twice or never: they only have to be counted. Their marks lie in an array,
 * each thread's in a cache line that no thread with one of the next 1,023 numbers has. Two threads whose numbers are 65,536
 * apart share one: should both be on the way from a first to its twin at once, one run is taken for one that was skipped.
 */
#define LIGHT_MARKS 65536
extern u8 light_marks[LIGHT_MARKS];

static __always_inline u8* light_mark(u64 ids)
{
    u64 at = (ids & 1023) << 6 | (ids >> 10 & 63);
    asm volatile("" : "+r"(at)); /* else clang drops the mask below, and the verifier of 6.1 forgets what a |= leaves */
    return &light_marks[at & (LIGHT_MARKS - 1)];
}

/* The first thing that the first program of a pair does. `slot`: its own in `calls`; `ids`: the kernel's own. `twins` is set by
 * the loader where they are needed; elsewhere all this is dead code, which the verifier removes. */
static __always_inline void leave_mark_of(u64 ids, u32 slot)
{
    if (!twins)
        return;
    if (!may_be_watched(ids >> 32)) {
        *light_mark(ids) = slot + 1;
        return;
    }
    u32* mark = mark_of_thread();
    if (mark)
        *mark = slot + 1;
    else
        books_stat(NULL, STAT_UNMARKED);
}

static __always_inline void leave_mark(u32 slot)
{
    if (twins)
        leave_mark_of(bpf_get_current_pid_tgid(), slot);
}

/*
 * Asked when a mark is not where it should be, which is rare: a process may have come to be watched, or may have ended, between
 * the first and its twin. `one`, `other`: marks that say that the work is done.
 */
static __noinline bool marked_elsewhere(u64 ids, u32 one, u32 other, bool last)
{
    if (may_be_watched(ids >> 32)) {
        u8* light = light_mark(ids);
        bool done = *light == one || *light == other;
        if (done && last)
            *light = 0;
        return done;
    }
    u32* mark = bpf_task_storage_get(&marks, bpf_get_current_task_btf(), NULL, 0);
    bool done = mark && (*mark == one || *mark == other);
    if (done && last)
        *mark = 0;
    return done;
}

/* Is the work of this hook done, by one of those before? The `last` of them takes the mark away; `own`: what it leaves if it
 * is not, 0: nothing. */
static __always_inline bool work_is_done(u64 ids, u32 one, u32 other, bool last, u32 own)
{
    if (!may_be_watched(ids >> 32)) {
        u8* light = light_mark(ids);
        if (*light == one || *light == other) {
            if (last)
                *light = 0;
            return true;
        }
        if (marked_elsewhere(ids, one, other, last))
            return true;
        if (own)
            *light = own;
    } else {
        u32* mark = mark_of_thread();
        if (!mark) /* no memory for it: nobody knows */
            return true;
        if (*mark == one || *mark == other) {
            if (last)
                *mark = 0;
            return true;
        }
        if (marked_elsewhere(ids, one, other, last))
            return true;
        if (own)
            *mark = own;
    }
    books_stat(NULL, STAT_STOOD_IN);
    return false;
}

/* The first thing that its twin does. */
static __always_inline bool first_has_run(u32 slot)
{
    return work_is_done(bpf_get_current_pid_tgid(), slot + 1, slot + 1, true, 0);
}

/* As above where a third comes after the twin: it is the third that takes the mark away. */
static __always_inline bool twin_is_idle(u32 slot, u32 twin)
{
    u64 ids = bpf_get_current_pid_tgid();
    return work_is_done(ids, slot + 1, slot + 1, false, twin + 1) || !may_be_watched(ids >> 32);
}

static __always_inline bool third_is_idle(u32 slot, u32 twin, u32 third)
{
    u64 ids = bpf_get_current_pid_tgid();
    return work_is_done(ids, slot + 1, twin + 1, true, third + 1) || !may_be_watched(ids >> 32);
}
#endif
