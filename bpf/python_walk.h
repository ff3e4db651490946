/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The walk along the frames of a Python program (python.h), while its thread is inside a call.
 *
 * Some fifty programs of hook set `trampoline` may take a stack, and each is verified by itself: a walk in one piece took the
 * verifiers of 5.10 and 6.1 minutes. So each step is a global function, which is verified once and for whatever comes in.
 */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ids.h"
#include "tables.h"

#define PYTHON_STEPS 44     /* along the frames and the marks between them */
#define PYTHON_STRETCH 32   /* threads looked through at once for the one that calls, */
#define PYTHON_STRETCHES 32 /* and so many times */
#define PYTHON_MISSES 64    /* calls of a thread that is none of Python's until it is looked for again */
#define PYTHON_KNOWN 4096   /* threads whose state is remembered */
#define PYTHON_WORDS 10 /* of a frame: sizeof(struct _PyInterpreterFrame) with one local variable, the least there is */

/* The newest thread comes first in CPython's list, and the main one last: it is looked for once. */
struct python_threads_table {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, PYTHON_KNOWN);
    __type(key, u32); /* tid */
    __type(value,
           u64); /* PyThreadState *; or, below PYTHON_MISSES, it has none, and so often it was not looked for since */
};
extern struct python_threads_table python_threads SEC(".maps");

/* The walk in hand. In memory, where a verifier keeps no count of what each step could have been. */
struct python_view {
    struct python_offsets o;
    u64 raw[16];     /* a frame */
    u64 at;          /* address of the next one outwards; 0: there is none */
    u64 interpreter; /* whose threads come next, */
    u64 thread;      /* and the one to go on with */
    u32 found;
    u32 pad;
    struct python_frame frame[PYTHON_FRAMES];
};

/* One for each of the programs that may be in a call on one CPU: first, twin, third (twins.h). */
struct python_view_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 3);
    __type(key, u32);
    __type(value, struct python_view);
};
extern struct python_view_table python_views SEC(".maps");

static __always_inline u64 user_word(u64 address)
{
    u64 word = 0;
    return bpf_probe_read_user(&word, sizeof(word), (void*)address) ? 0 : word;
}

/* As gettid() tells it: in the task's own, innermost pid namespace. */
static __always_inline u64 native_thread_id(void)
{
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct pid* pid = READ(task, thread_pid);
    struct upid* number = number_at(pid, BPF_CORE_READ(pid, level));
    return (u32)BPF_CORE_READ(number, nr);
}

/*
 * Of the interpreters' threads, some more: is v->thread the one with that number, or 0 because there is none? Global: verified
 * once, not once per stretch.
 */
__noinline int look_for_thread(u32 copy, u64 native)
{
    struct python_view* v = bpf_map_lookup_elem(&python_views, &copy);
    if (!v)
        return 1;
    u64 thread = v->thread;
    if (!thread) {
        u64 interpreter = v->interpreter;
        if (!interpreter)
            return 1;
        thread = user_word(interpreter + v->o.threads);
        v->interpreter = user_word(interpreter + v->o.interpreter_next);
    }
    u32 i = 0;
    for (; i < PYTHON_STRETCH; i++) {
        if (!thread || user_word(thread + v->o.native_id) == native)
            break;
        thread = user_word(thread + v->o.thread_next);
    }
    v->thread = thread;
    return thread && i < PYTHON_STRETCH;
}

/* A child of fork() has one thread, which may still bear the number of its parent's. */
static __always_inline u64 only_thread(const struct python_view* v)
{
    u64 interpreter = user_word(v->o.runtime + v->o.interpreters);
    u64 first = interpreter ? user_word(interpreter + v->o.threads) : 0;
    return first && !user_word(first + v->o.thread_next) ? first : 0;
}

static __always_inline u64 find_python_thread(struct python_view* v, u32 copy, u64 native)
{
    v->thread = 0;
    v->interpreter = user_word(v->o.runtime + v->o.interpreters);
    for (u32 i = 0; i < PYTHON_STRETCHES; i++)
        if (look_for_thread(copy, native))
            return v->thread ? v->thread : only_thread(v);
    return 0;
}

/* The innermost Python frame of the thread that calls; 0: it runs no Python. */
static __always_inline u64 python_frame_of(struct python_view* v, u32 copy, u32 tid)
{
    u64 native = native_thread_id();
    u64* known = bpf_map_lookup_elem(&python_threads, &tid);
    u64 thread = known ? *known : 0;
    if (known && thread - 1 < PYTHON_MISSES) {
        *known = thread == PYTHON_MISSES ? 0 : thread + 1;
        return 0;
    }
    if (!thread || user_word(thread + v->o.native_id) != native) {
        thread = find_python_thread(v, copy, native);
        u64 found = thread ? thread : 1;
        bpf_map_update_elem(&python_threads, &tid, &found, BPF_ANY);
        if (!thread)
            return 0;
    }
    u64 frame = user_word(thread + v->o.frame);
    return frame && v->o.of_cframe != PYTHON_NO_CFRAME ? user_word(frame + v->o.of_cframe) : frame;
}

/* A word of the frame that was read; `offset` is user space's, and no verifier's. */
static __always_inline u64 word_at(const struct python_view* v, u32 offset) { return v->raw[offset / 8 & 15]; }

/* One step outwards. Global: verified once, not once per step. Is there more? */
__noinline int python_step(u32 copy)
{
    struct python_view* v = bpf_map_lookup_elem(&python_views, &copy);
    if (!v || !v->at || bpf_probe_read_user(v->raw, PYTHON_WORDS * 8, (void*)v->at))
        return 0;
    /* Does what one call of the interpreter runs end here? From 3.12 on, at a mark between the frames. */
    bool ends = (word_at(v, v->o.end) >> (v->o.end % 8 * 8) & 0xff) >= v->o.end_value;
    u64 code = ends && !v->o.end_is_frame
                   ? 0
                   : word_at(v, v->o.code) & ~7ULL; /* 3.14 keeps a tag in the lowest bits (_PyStackRef) */
    u32 found = v->found;
    v->at = word_at(v, v->o.previous);
    if (code) {
        v->frame[found & (PYTHON_FRAMES - 1)].code = code | ends;
        v->frame[found & (PYTHON_FRAMES - 1)].instr = word_at(v, v->o.instr);
        v->found = found + 1;
    } else if (ends && found) {
        v->frame[(found - 1) & (PYTHON_FRAMES - 1)].code |= 1;
    }
    return 1;
}

/* The innermost Python frames, at most so many, into `v`, which is python_views[copy]: how many there are. In line, since its
 * callers are called by six others already, and eight are the most. */
static __always_inline u32 walk_python(struct python_view* v, u32 copy, u32 tgid, u32 tid, u32 most)
{
    const struct python_offsets* o = facts.pythons ? bpf_map_lookup_elem(&pythons, &tgid) : NULL;
    if (!o)
        return 0;
    v->o = *o;
    v->found = 0;
    v->at = python_frame_of(v, copy, tid);
    for (u32 i = 0; i < PYTHON_STEPS; i++)
        if (v->found >= most || v->found >= PYTHON_FRAMES || !python_step(copy))
            break;
    return v->found;
}
