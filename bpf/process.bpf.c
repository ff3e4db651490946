// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* Who is watched: processes that come and go. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "item.h"
#include "state.h"
#include "twins.h"
#include "call.h"
#include "ledger.h"
#include "heir.h"
#include "noticed.h"

/* Marks of these hooks (twins.h): beyond the slots of the calls. */
enum { PROCESS_FORKS = CALL_ROWS, PROCESS_EXECS, PROCESS_EXITS };

static __always_inline int process_forks(struct task_struct* parent, struct task_struct* child)
{
    u32 parent_tgid = tgid_of(parent);
    u32 child_tgid = tgid_of(child);
    if (parent_tgid == child_tgid)
        return 0;
    note_program(child_tgid);
    if (!may_be_watched(parent_tgid))
        return 0;
    struct process_row* known = bpf_map_lookup_elem(&process_rows, &parent_tgid);
    if (!known || !(known->flags & PROCESS_FOLLOW) || (known->flags & PROCESS_NEW))
        return 0;
    struct process_row row = {.seen_at = bpf_ktime_get_ns(), .parent = parent_tgid, .flags = known->flags};
    row.flags &= ~PROCESS_SHARES;
    if (READ(child, files) == READ(parent, files))
        row.flags |= PROCESS_SHARES;
    books_stat(NULL, STAT_CALLS + POSTING_FORK);
    if (row.flags & PROCESS_32BIT)
        count_32bit(child, child_tgid);
    count_in_crowd(child_tgid, 1); /* a row of that number, left by a process whose end was missed, stays counted */
    long error = bpf_map_update_elem(&process_rows, &child_tgid, &row, BPF_ANY);
    if (error)
        count_in_crowd(child_tgid, -1);
    if (error)
        books_stat(NULL, error == -ERRNO_ENOMEM ? STAT_NO_MEMORY : STAT_PROCESSES_FULL);
    inherit_python(parent_tgid, child_tgid);
    __sync_fetch_and_add(&facts.processes_changed, 1);
    return 0;
}

/* Why here: the child exists and has not run yet, so none of its calls is missed. Threads fork too, with
 * the tgid of their parent. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_sched_process_fork, struct task_struct* parent, struct task_struct* child)
{
    leave_mark(PROCESS_FORKS);
    return process_forks(parent, child);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_sched_process_fork_twin, struct task_struct* parent, struct task_struct* child)
{
    return first_has_run(PROCESS_FORKS) ? 0 : process_forks(parent, child);
}

/* How far an exec's descriptors are looked through, in words of 64 of them; so many words in one function. */
#define EXEC_WORDS 1024
#define EXEC_STRETCH 32
_Static_assert(EXEC_WORDS % EXEC_STRETCH == 0, "stretches are whole");

/* Does the new program hold an epoll under this number, or a file that is in somebody's? Global: so it is verified once, not
 * once per descriptor. */
__noinline int exec_keeps(u32 fd)
{
    u64 ids = current_ids();
    struct file* file = file_of_fd(current_task(), fd);
    u64 epoll = is_epoll(file) ? (u64)READ(file, private_data) : 0;
    if (!epoll)
        return file && in_an_epoll(file);
    struct posting p = {};
    p.time = bpf_ktime_get_ns();
    p.kind = POSTING_EXEC;
    p.tgid = ids >> 32;
    p.tid = (u32)ids;
    p.epfd = (s32)fd;
    p.epoll = epoll;
    ledger_exec(NULL, &p);
    record(&p, RECORD_POSTING);
    u32 tgid = p.tgid;
    struct process_row* heir = bpf_map_lookup_elem(&process_rows, &tgid);
    if (heir)
        remember_heir(heir, current_task(), epoll, (s32)fd);
    return 1;
}

static __always_inline u64 open_fds(struct task_struct* task, u32 word)
{
    u64 bits = 0;
    unsigned long* words = BPF_CORE_READ(task, files, fdt, open_fds);
    bpf_probe_read_kernel(&bits, sizeof(bits), words + word);
    return bits;
}

__noinline int exec_keeps_of(u32 word)
{
    u64 bits = open_fds(current_task(), word);
    int kept = 0;
    for (u32 bit = 0; bit < 64; bit++)
        if (bits >> bit & 1)
            kept |= exec_keeps(word * 64 + bit);
    return kept;
}

/* Global as well: each turn of a loop is walked through by the verifier, and two loops of 32 turns are 64, not 1024. */
__noinline int exec_keeps_stretch(u32 first, u32 words)
{
    struct task_struct* task = current_task();
    int kept = 0;
    for (u32 i = 0; i < EXEC_STRETCH; i++) {
        if (first + i >= words)
            break;
        if (open_fds(task, first + i))
            kept |= exec_keeps_of(first + i);
    }
    return kept;
}

/* User space is woken: the interpreter of a Python program is to be known before it makes its first calls. */
static __always_inline void tell_of_exec(u32 tgid)
{
    if (!stack_bytes)
        return;
    struct exec_record* e = bpf_ringbuf_reserve(&stacks, sizeof(*e), 0);
    if (!e)
        return; /* it is looked for again when a stack arrives */
    e->time = bpf_ktime_get_ns();
    e->tgid = tgid;
    e->pad = 0;
    bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* The task is the current one. `old_tid`: its number until now, in the first pid namespace; a thread that is not the first
 * of its process takes over that one's. */
static __always_inline int process_execs(struct task_struct* task, u32 old_tid)
{
    u32 tgid = tgid_of(task);
    struct process_row* row = bpf_map_lookup_elem(&process_rows, &tgid);
    note_program(tgid);
    if (!row)
        return 0;
    books_stat(NULL, STAT_CALLS + POSTING_EXEC);
    if (!in_container && old_tid != tgid) { /* else the sweep finds out */
        bpf_map_delete_elem(&thread_rows, &old_tid);
        record_gone(RECORD_THREAD_GONE, 0, 0, (s32)old_tid);
    }
    row->flags &= ~PROCESS_SHARES; /* begin_new_exec() has given it a table of its own */
    meet_program(task, row, tgid);
    forget_python(tgid);
    tell_of_exec(tgid);
    int kept = 0;
    u32 words = (BPF_CORE_READ(task, files, fdt, max_fds) + 63) / 64;
    for (u32 first = 0; first < EXEC_WORDS; first += EXEC_STRETCH) {
        if (first >= words)
            break;
        kept |= exec_keeps_stretch(first, words);
    }
    if (words > EXEC_WORDS)
        books_stat(NULL, STAT_EXEC_BEYOND);
    set_noticed(row, !kept && words <= EXEC_WORDS);
    return 0;
}

/*
 * A new program image, and what it still holds. Why here: begin_new_exec() has closed what is marked
 * close-on-exec, and the new program has not run yet, so that any epoll it has is a left-over.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_sched_process_exec, struct task_struct* task, int old_tid)
{
    leave_mark(PROCESS_EXECS);
    return process_execs(task, (u32)old_tid);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_sched_process_exec_twin, struct task_struct* task, int old_tid)
{
    return first_has_run(PROCESS_EXECS) ? 0 : process_execs(task, (u32)old_tid);
}

static __always_inline int process_exits(struct task_struct* task)
{
    u32 tid = tid_of(task);
    u32 tgid = tgid_of(task);
    struct process_row* row = bpf_map_lookup_elem(&process_rows, &tgid);
    bool last = READ(task, signal, live.counter) == 0;
    if (last)
        note_program(tgid);
    if (!row)
        return 0;
    bpf_map_delete_elem(&thread_rows, &tid);
    record_gone(RECORD_THREAD_GONE, 0, 0, (s32)tid);
    if (last) {
        forget_python(tgid);
        books_stat(NULL, STAT_CALLS + POSTING_EXIT);
        ask_heir(task, row, tgid, 0);
        if (!bpf_map_delete_elem(&process_rows, &tgid))
            count_in_crowd(tgid, -1);
        __sync_fetch_and_add(&facts.processes_changed, 1);
    }
    return 0;
}

/* Numbers are reused: rows must not outlive their owners. do_exit() decrements signal->live before the
 * tracepoint, so 0 means that this was the last thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_sched_process_exit, struct task_struct* task)
{
    leave_mark(PROCESS_EXITS);
    return process_exits(task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_sched_process_exit_twin, struct task_struct* task)
{
    return first_has_run(PROCESS_EXITS) ? 0 : process_exits(task);
}
