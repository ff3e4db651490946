// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * System calls, epoll and its callback, through either hook set; the loader decides which programs of this
 * object are used. Both sets are one object because they share the global functions of calls_epoll.h.
 */
#include "hooks_tracepoint.h"
#include "hooks_trampoline.h"

struct call_table calls SEC(".maps");
