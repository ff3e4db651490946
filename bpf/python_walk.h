/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The walk along the frames of a Python program (python.h), while its thread is inside a call.
 *
 * Not before 6.2: the verifiers of 5.10 and 6.1 take minutes over it in hook set `trampoline`, where each of some fifty programs
 * may take a stack. (The loader goes by bpf_rdonly_cast(), which came with 6.2.)
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ids.h"
#include "tables.h"

#define PYTHON_STEPS 44 /* along the frames and the marks between them */
#define PYTHON_STRETCH 32   /* threads looked through at once for the one that calls, */
#define PYTHON_STRETCHES 8 /* and so many times */
#define PYTHON_KNOWN 4096  /* threads whose state is remembered */
#define PYTHON_WORDS 10    /* of a frame: sizeof(struct _PyInterpreterFrame) with one local variable, the least there is */

/* The newest thread comes first in CPython's list, and the main one last: it is looked for once. */
struct python_threads_table {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, PYTHON_KNOWN);
    __type(key, u32);   /* tid */
    __type(value, u64); /* PyThreadState * */
};
extern struct python_threads_table python_threads SEC(".maps");

static __always_inline u64 user_word(u64 address)
{
    u64 word = 0;
    return bpf_probe_read_user(&word, sizeof(word), (void *)address) ? 0 : word;
}

/* As gettid() tells it: in the task's own, innermost pid namespace. */
static __always_inline u64 native_thread_id(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct pid *pid = READ(task, thread_pid);
    struct upid *number = number_at(pid, BPF_CORE_READ(pid, level));
    return (u32)BPF_CORE_READ(number, nr);
}

/*
 * Of one interpreter's threads, from this one on: the one with that number, with its lowest bit set; else the one behind
 * those that were looked at, or 0. Global: verified once, not once per stretch.
 */
__noinline u64 look_for_thread(u32 tgid, u64 thread, u64 native)
{
    const struct python_offsets *o = python_walk ? bpf_map_lookup_elem(&pythons, &tgid) : NULL;
    if (!o)
        return 0;
    for (u32 i = 0; i < PYTHON_STRETCH; i++) {
        if (!thread)
            break;
        if (user_word(thread + o->native_id) == native)
            return thread | 1;
        thread = user_word(thread + o->thread_next);
    }
    return thread & ~1ULL;
}

/* Of all its interpreters. A child of fork() has one thread, which may still bear the number of its parent's. */
static __always_inline u64 find_python_thread(const struct python_offsets *o, u32 tgid, u64 native)
{
    u64 interpreter = user_word(o->runtime + o->interpreters);
    u64 thread = interpreter ? user_word(interpreter + o->threads) : 0;
    u64 first = thread;
    for (u32 i = 0; i < PYTHON_STRETCHES; i++) {
        if (thread)
            thread = look_for_thread(tgid, thread, native);
        if (thread & 1)
            return thread & ~1ULL;
        if (thread)
            continue;
        interpreter = interpreter ? user_word(interpreter + o->interpreter_next) : 0;
        if (!interpreter)
            break;
        thread = user_word(interpreter + o->threads);
    }
    return first && !user_word(first + o->thread_next) ? first : 0;
}

/* The innermost Python frame of the thread that calls; 0: it runs no Python. */
static __always_inline u64 python_frame_of(const struct python_offsets *o, u32 tgid, u32 tid)
{
    u64 native = native_thread_id();
    u64 *known = bpf_map_lookup_elem(&python_threads, &tid);
    u64 thread = known ? *known : 0;
    if (!thread || user_word(thread + o->native_id) != native) {
        thread = find_python_thread(o, tgid, native);
        if (!thread)
            return 0;
        bpf_map_update_elem(&python_threads, &tid, &thread, BPF_ANY);
    }
    u64 frame = user_word(thread + o->frame);
    return frame && o->of_cframe != PYTHON_NO_CFRAME ? user_word(frame + o->of_cframe) : frame;
}

/* A word of a frame that was read; `offset` is user space's, and no verifier's. */
static __always_inline u64 word_at(const u64 *raw, u32 offset)
{
    return raw[offset / 8 & 15];
}

/* Does what one call of the interpreter runs end at this frame? */
static __always_inline bool ends_here(const struct python_offsets *o, const u64 *raw)
{
    return (word_at(raw, o->end) >> (o->end % 8 * 8) & 0xff) >= o->end_value;
}

/*
 * The next frame from `*at` outwards, which moves on. 0: it is a mark, and `*ends` says so; or there is none any more, and
 * `*at` is 0. `raw`: room for 16 words.
 */
static __always_inline u64 next_python_frame(const struct python_offsets *o, u64 *at, u64 *raw, u64 *instr, bool *ends)
{
    if (bpf_probe_read_user(raw, PYTHON_WORDS * 8, (void *)*at)) {
        *at = 0;
        return 0;
    }
    *at = word_at(raw, o->previous);
    *ends = ends_here(o, raw);
    if (*ends && !o->end_is_frame)
        return 0;
    *instr = word_at(raw, o->instr);
    return word_at(raw, o->code) & ~7ULL; /* 3.14 keeps a tag in the lowest bits (_PyStackRef) */
}
