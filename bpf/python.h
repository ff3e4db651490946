/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where a Python program is: CPython keeps the frames of Python functions on a stack of its own since 3.11, so that the
 * stack of the thread shows the interpreter and nothing of what it interprets. Here the frames are walked while the thread is
 * inside its call, when nothing can move them; src/symbols/python_code.cpp gives them names and lines.
 *
 * Which offsets hold depends on the version. User space looks for the interpreter in the map of a process and puts them
 * into `pythons`; whoever is not in there costs nothing but a test of facts.pythons.
 *
 * What it cannot see: frames of a thread behind the first 1,024 of its process, and those of a process
 * whose interpreter was not found yet: that takes some ms after exec.
 */
#pragma once

#include "types.h"

#define PYTHON_FRAMES 32 /* of one stack */
#define PYTHON_NO_CFRAME 0xffffffffu

/* In bytes, of CPython's structures of that version. */
struct python_offsets {
    u64 runtime;          /* address of _PyRuntime in that process */
    u32 interpreters;     /* _PyRuntimeState.interpreters.head */
    u32 interpreter_next; /* PyInterpreterState.next */
    u32 threads;          /* PyInterpreterState.threads.head */
    u32 thread_next;      /* PyThreadState.next */
    u32 native_id;        /* PyThreadState.native_thread_id */
    u32 frame;            /* PyThreadState.current_frame, or .cframe, which points to a _PyCFrame */
    u32 of_cframe;        /* _PyCFrame.current_frame (before 3.13); PYTHON_NO_CFRAME: the thread state has it itself */
    u32 code;             /* in _PyInterpreterFrame: f_code or f_executable, */
    u32 previous;
    u32 instr; /* prev_instr or instr_ptr, */
    u32 end;   /* is_entry or owner: a byte of at least end_value ends what one call of the interpreter runs */
    u32 end_value;
    u32 end_is_frame; /* 1: the frame that ends it is a Python frame itself (3.11); 0: it is a mark between them */
    u32 pad;
};

struct python_frame {
    u64 code;  /* address of the code object; its lowest bit: the last that this call of the interpreter runs */
    u64 instr; /* address of the instruction in hand */
};

/* A process has become another program. In the ring `stacks`, told apart from a stack by its size. */
struct exec_record {
    u64 time;
    u32 tgid;
    u32 pad;
};

#ifdef __cplusplus
static_assert(sizeof(struct python_offsets) == 64);
static_assert(sizeof(struct python_frame) == 16);
static_assert(sizeof(struct exec_record) == 16);
#endif
