// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * System calls, epoll and its callback, through either hook set; the loader decides which programs of this
 * object are used. Both sets are one object because they share the global functions of calls.h.
 */
#include "hooks_tracepoint.h"
#include "hooks_trampoline.h"
#include "hooks_ring.h"

struct call_table calls SEC(".maps");
struct stack_table stacks SEC(".maps");
struct site_table sites SEC(".maps");
struct pythons_table pythons SEC(".maps");
struct python_threads_table python_threads SEC(".maps");
struct python_view_table python_views SEC(".maps");
struct site_view_table site_views SEC(".maps");

/* These live in the ring only; this makes their layout part of the object, where a test looks it up. */
const struct stack_record* stack_record_layout;
const struct exec_record* exec_record_layout;
