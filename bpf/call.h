/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* A system call in progress, as the programs of either hook set hand it on. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "arch.h"
#include "ids.h"
#include "state.h"
#include "tables.h"
#include "item.h"
#include "ledger.h"
#include "readiness.h"
#include "twins.h"

/*
 * A call in progress. Too large for the stack; one per CPU and program. Another instance of the same
 * program on the same CPU cannot get in between: the kernel skips its run (prog->active), and its twin or
 * third, which have slots of their own, stands in (twins.h).
 */
#define CALL_SLOTS 106 /* of firsts and twins */
#define TWIN_OF(slot) ((slot) + CALL_SLOTS / 2)
#define THIRD_OF(slot) ((slot) + CALL_SLOTS)
#define CALL_ROWS THIRD_OF(2) /* the hooks that have a third are the first two */
/* Reading user memory is the dearest thing done here, and nearly as dear for one event as for many. */
#define EVENTS_AT_ONCE 16
struct call {
    struct posting posting;
    struct registration_key key;
    struct ledger_batch batch;
    u64 argument[5];
    u64 events;       /* user address of the returned array */
    u64 ready_at;     /* how far the ready list was searched for them (place_event) */
    u64 place_data;   /* what is searched for */
    u64 dying;        /* a file whose registrations are buried (bury_items), */
    u64 dying_at;     /* how far, */
    u64 spared_epoll; /* and one that is not */
    s32 spared_fd;
    u32 spared_pad;
    u64 site;                                         /* of an epoll_ctl (sites.h) */
    u32 chunk[EVENTS_AT_ONCE * EPOLL_EVENT_SIZE / 4]; /* the part of it in hand */
    u32 chunk_unread;                                 /* it could not be read */
    u32 which;                                        /* slot in `calls` */
    u32 kernel_events; /* epoll_ctl's event lies in kernel memory (do_epoll_ctl), not in the caller's */
};

struct call_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, CALL_ROWS);
    __type(key, u32);
    __type(value, struct call);
};
extern struct call_table calls SEC(".maps");

static __always_inline struct task_struct* current_task(void) { return (struct task_struct*)bpf_get_current_task(); }

/* Without the time: half of all calls turn out not to matter, and asking for it is a tenth of the cost of one
 * that does. */
static __always_inline struct call* open_call(u32 which, u64 ids, s64 result)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return NULL;
    c->which = which;
    c->kernel_events = 0;
    c->site = 0;
    __builtin_memset(&c->posting, 0, sizeof(c->posting));
    c->posting.tgid = ids >> 32;
    c->posting.tid = (u32)ids;
    c->posting.result = result;
    return c;
}

static __always_inline struct call* begin_call(u32 which, struct pt_regs* regs, u64 ids, s64 result)
{
    struct call* c = open_call(which, ids, result);
    if (!c)
        return NULL;
    c->argument[0] = call_argument0(regs);
    c->argument[1] = call_argument1(regs);
    c->argument[2] = call_argument2(regs);
    c->argument[3] = call_argument3(regs);
    c->argument[4] = call_argument4(regs);
    return c;
}

/* It matters: from here on the posting has a time. */
static __always_inline void stamp(struct call* c) { c->posting.time = bpf_ktime_get_ns(); }

static __always_inline void seen(u8 kind) { books_stat(NULL, STAT_CALLS + kind); }
