/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the sweep does with one row, whichever program walks the table (sweep.bpf.c). A file's row is refreshed from
 * the kernel's own state, buried when it died unseen, and handed over when it is worth a look. `seq`: the iterator's
 * output; NULL: the ring `swept`. They say whether the row still describes something that lives; its end is the caller's.
 */
#pragma once

#include "sweep_items.h"

/* Is this still the open file that the row describes? Inode numbers of sockets and pipes never repeat;
 * eventfds and their like share one inode, there the kind must do. */
static __always_inline bool same_file(struct file* file, const struct file_row* f)
{
    u64 ino = f->ino; /* 0: the row is being filled in */
    if (more_references(file) < 0 || (ino && READ(file, f_inode, i_ino) != ino))
        return false;
    u64 poll = (u64)poll_of(file);
    u64 kind = f->kind;
    if (kind == FILE_TCP || kind == FILE_LISTENER || kind == FILE_UDP || kind == FILE_UNIX)
        kind = FILE_TCP;
    if (kind < FILE_TCP || kind > FILE_EPOLL)
        return true;
    asm volatile("" : "+r"(kind)); /* else clang drops the mask below, which the verifier needs */
    return poll == facts.poll[kind & (FILE_KIND_SLOTS - 1)];
}

/* The kernel keeps who made the other end (sk_peer_pid): for socketpair() it is the caller itself. */
static __always_inline void ask_peer(struct file_state* s, struct file* file, const struct file_row* f)
{
    if (f->kind != FILE_UNIX || !f->out_cut_at)
        return;
    struct sock* sk = sock_of_file(file);
    struct pid* peer = BPF_CORE_READ(sk, sk_peer_pid);
    if (peer && number_of(peer) == f->tgid)
        s->flags |= STATE_PEER_SELF;
}

static __always_inline void drop_dead_home(struct file_row* f, u64 id)
{
    struct registration_key key = {.epoll = f->home, .file = id, .fd = f->home_fd, .pad = 0};
    if (!f->home || !books_registration(NULL, &key))
        return;
    record_gone(RECORD_GONE, key.epoll, id, key.fd);
    ledger_drop_home(NULL, f, id);
}

/* A recording needs to know only when it changes something. Returns the faults of the file. */
static __always_inline struct fault_row* refresh(struct file_row* f, u64 id, const struct file_state* s, u64 now)
{
    const struct fault_row* before = recording ? ledger_fault(NULL, f, id) : NULL;
    u64 since = f->stuck_at;
    u64 writable = before ? before->writable_at : 0;
    bool moved = f->unread != s->unread || f->backlog != ledger_backlog_now(f, s);
    struct fault_row* x = ledger_refresh_file(NULL, f, id, s, now);
    if (moved || f->stuck_at != since || (x ? x->writable_at : 0) != writable)
        record_swept(id, s, now);
    return x;
}

static __always_inline void drop_dead_file(struct file_row* f, u64 id)
{
    drop_dead_home(f, id);
    record_gone(RECORD_FILE_GONE, 0, id, 0);
    ledger_remove_file(NULL, f, id);
}

static __always_inline bool sweep_file(struct seq_file* seq, u64 id, struct file_row* f)
{
    u32 zero = 0;
    struct file* file = (void*)id;
    if (!same_file(file, f))
        return false;
    struct sweep_record* out = bpf_map_lookup_elem(&records, &zero);
    if (!out)
        return true;
    out->time = bpf_ktime_get_ns();
    __builtin_memset(&out->state, 0, sizeof(out->state));
    read_token(&out->state, file, f->kind);
    read_output(&out->state, file, f->kind);
    ledger_end_untold(f, &out->state);
    ask_peer(&out->state, file, f);
    const struct fault_row* x = refresh(f, id, &out->state, out->time);
    out->file_id = id;
    bool look = ledger_file_matters(f, x, &out->state);
    struct found_item newest = {};
    if (refresh_items(out, file, f, &newest) || look) {
        out->buried = 0;
        out->file = *f;
        if (x)
            out->fault = *x;
        else
            __builtin_memset(&out->fault, 0, sizeof(out->fault));
        name_socket(&out->name, file, f->kind);
        if (out->chain != 1) {
            show_items(seq, out, file, look);
        } else if (newest.row) { /* it is worth a look, or the file is */
            show(out, f, &newest);
            hand_over_record(seq, out);
        }
    }
    if (out->chain)
        return true;
    if (f->home)
        drop_dead_home(f, id);
    if (look) {
        out->live_mask = 0;
        out->ready = 0;
        fill(out, 0, f, NULL, f->fd);
        hand_over_record(seq, out);
    }
    return true;
}

/* Registrations whose file died, or that went away beside the newest one of their file. */
static __always_inline bool registration_gone(const struct registration_key* key, struct registration_row* r)
{
    return !books_file(NULL, key->file) || item_gone(key, r);
}

static __always_inline void drop_dead_registration(const struct registration_key* key, struct registration_row* r)
{
    record_gone(RECORD_GONE, key->epoll, key->file, key->fd);
    ledger_drop_registration(NULL, key, r, books_file(NULL, key->file), true);
}

/*
 * The small tables, whole: key and row, one after another. Not by look-ups from user space, because a recording must
 * say between which postings a row was read. An instance that died unseen, by exit or close_range() under hook set
 * `tracepoint`, goes once it has been shown.
 */
static __always_inline bool epoll_lives(const struct epoll_row* e, u64 id)
{
    struct file* file = (void*)e->file;
    return !file || (more_references(file) >= 0 && is_epoll(file) && (u64)READ(file, private_data) == id);
}

static __always_inline bool sweep_epoll(struct seq_file* seq, u64* key, struct epoll_row* e)
{
    u64 id = *key;
    ask_newest_heir(id, e);
    ledger_unknown_sweep(NULL, e, bpf_ktime_get_ns());
    record_shown(RECORD_EPOLL_ROW, id, 0, 0);
    hand_over(seq, &id, sizeof(id));
    /* What does not fit is shown again by the next read. */
    return !hand_over(seq, e, sizeof(*e)) || epoll_lives(e, id);
}

/* A task that has another number now has executed a program, and is the first thread of its process since. */
static __always_inline bool thread_lives(u32 tid, const struct thread_row* t)
{
    struct task_struct* task = (void*)t->task;
    return !task || tid_of(task) == tid;
}

static __always_inline void drop_dead_thread(u32 tid)
{
    record_gone(RECORD_THREAD_GONE, 0, 0, (s32)tid);
    books_remove_thread(NULL, tid);
}

static __always_inline bool sweep_thread(struct seq_file* seq, u32* key, struct thread_row* t)
{
    u32 tid = *key;
    struct task_struct* task = (void*)t->task;
    if (!thread_lives(tid, t))
        return false;
    bool stopped = task && task_stopped(task);
    ledger_thread_seen(t, stopped, bpf_ktime_get_ns());
    record_shown(RECORD_THREAD_ROW, 0, (s32)tid, stopped);
    hand_over(seq, &tid, sizeof(tid));
    hand_over(seq, t, sizeof(*t));
    return true;
}
