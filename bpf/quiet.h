/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Processes that are watched as children of one that is, and have no epoll: shells, filters, helpers. A process is quiet from
 * the exec at which it has none (and so are those that it forks) until it makes one, or makes a call on an epoll that was sent
 * to it, or on a file of which the books know: that one was registered by somebody else, whoever gave it and when.
 *
 * Nothing that a quiet process does is missing from the books. What they take down of a call belongs to its file, its epoll or
 * its thread, and of these they know none. Its writes are looked at as they begin, like everybody's: they may make somebody's
 * pipe or eventfd readable. So is a connect() that is left in progress, which makes the row of its file.
 */
#pragma once

#include "types.h"
#include <bpf/bpf_helpers.h>
#include "probes.h"

/* The value is seen_at of its row: that of a later process of the same number has another one. */
struct quiet_table {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, u32); /* tgid */
    __type(value, u64);
};
extern struct quiet_table quiet_processes SEC(".maps");
extern struct probe_facts facts;

static __always_inline bool is_quiet(u32 tgid, const struct process_row* row)
{
    const u64* seen_at = bpf_map_lookup_elem(&quiet_processes, &tgid);
    return seen_at && *seen_at == row->seen_at;
}

static __always_inline void begin_quiet(u32 tgid, const struct process_row* row)
{
    u64 seen_at = row->seen_at;
    if (!bpf_map_update_elem(&quiet_processes, &tgid, &seen_at, BPF_ANY)) /* no room: its calls are looked at */
        __sync_fetch_and_add(&facts.processes_changed, 1);
}

static __always_inline void end_quiet(u32 tgid)
{
    if (!bpf_map_delete_elem(&quiet_processes, &tgid))
        __sync_fetch_and_add(&facts.processes_changed, 1);
}
