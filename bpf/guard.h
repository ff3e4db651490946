/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A program that is preempted keeps its CPU's prog->active raised, and the kernel skips the program for
 * everybody else on that CPU until it goes on: lost postings. Trampolines run preemptible everywhere; since
 * 7.0 tracepoints do, too; where preemption is voluntary (Debian up to 6.12) nothing comes of it, with lazy
 * preemption (7.2) it does. So, where the kernel has bpf_preempt_disable() (6.10, fc7566ad0a82), programs
 * run without preemption, and the window shrinks to a few instructions. What is still skipped is counted by
 * the kernel and shown as a loss.
 */
#pragma once

#include "tables.h"

/* Weak, and called only where the loader found them: a call that cannot be resolved is then dead code. */
extern void bpf_preempt_disable(void) __attribute__((section(".ksyms"), weak));
extern void bpf_preempt_enable(void) __attribute__((section(".ksyms"), weak));

static __always_inline void enter_probe(void)
{
    if (preempt_guard)
        bpf_preempt_disable();
}

static __always_inline void leave_probe(void)
{
    if (preempt_guard)
        bpf_preempt_enable();
}
