// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The sweep: walks the books in the kernel, a few times a second, and asks the kernel how things stand.
 * It refreshes unread input, backlog, mask and ready-list membership, buries what died unseen, and hands
 * user space only the rows worth a look; healthy idle files are never copied.
 *
 * What walks is an iterator, which yields to others between two rows. Where the kernel refuses that one (it may: an
 * iterator over a map's elements may write them), user space runs programs that walk by themselves, a piece at a time.
 */
#include "sweep.h"

struct record_table records SEC(".maps");
struct swept_table swept SEC(".maps");

/* This makes its layout part of the object, where a test looks it up. */
const struct walk_piece *walk_piece_layout;

/* --- iterators ------------------------------------------------------------------------------------ */

/*
 * An iterator goes on from the row it has just shown, so that row must not leave its table meanwhile: its memory may
 * serve another one at once, and the rest of the bucket would be passed over. What is found dead is noted and buried
 * with the next row, after another look at it. One walk at a time runs.
 */
u64 dead_file = 0;
u64 dead_epoll = 0;
u32 dead_thread = 0;
struct registration_key dead_registration = {};

/* Global: verified once, not again for each program. */
__noinline int bury_file(u64 id)
{
    struct file_row *f = id ? books_file(NULL, id) : NULL;
    if (f && !same_file((struct file *)id, f))
        drop_dead_file(f, id);
    return 0;
}

__noinline int bury_epoll(u64 id)
{
    const struct epoll_row *e = id ? books_epoll(NULL, id) : NULL;
    if (e && !epoll_lives(e, id))
        books_remove_epoll(NULL, id);
    return 0;
}

__noinline int bury_thread(u32 tid)
{
    const struct thread_row *t = books_thread(NULL, tid);
    if (t && !thread_lives(tid, t))
        drop_dead_thread(tid);
    return 0;
}

__noinline int bury_registration(u32 nothing)
{
    struct registration_key key = dead_registration;
    struct registration_row *r = key.epoll ? books_registration(NULL, &key) : NULL;
    if (r && registration_gone(&key, r))
        drop_dead_registration(&key, r);
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep(struct bpf_iter__bpf_map_elem *ctx)
{
    u64 *key = ctx->key;
    struct file_row *f = ctx->value;
    if (dead_file)
        bury_file(dead_file);
    dead_file = 0;
    if (!key || !f) {
        record_gone(RECORD_SWEEP_END, 0, 0, 0);
        return 0;
    }
    if (!sweep_file(ctx->meta->seq, *key, f))
        dead_file = *key;
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_registrations(struct bpf_iter__bpf_map_elem *ctx)
{
    struct registration_key *key = ctx->key;
    struct registration_row *r = ctx->value;
    if (dead_registration.epoll)
        bury_registration(0);
    dead_registration.epoll = 0;
    if (!key || !r)
        return 0;
    struct registration_key at = *key;
    if (registration_gone(&at, r))
        dead_registration = at;
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_epolls(struct bpf_iter__bpf_map_elem *ctx)
{
    u64 *key = ctx->key;
    struct epoll_row *e = ctx->value;
    if (dead_epoll)
        bury_epoll(dead_epoll);
    dead_epoll = 0;
    if (key && e && !sweep_epoll(ctx->meta->seq, key, e))
        dead_epoll = *key;
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_threads(struct bpf_iter__bpf_map_elem *ctx)
{
    u32 *key = ctx->key;
    struct thread_row *t = ctx->value;
    if (dead_thread)
        bury_thread(dead_thread);
    dead_thread = 0;
    if (key && t && !sweep_thread(ctx->meta->seq, key, t))
        dead_thread = *key;
    return 0;
}

/* --- walks in pieces ------------------------------------------------------------------------------ */

/*
 * bpf_for_each_map_elem() (5.13) always begins at the first row, so a piece passes over the rows that earlier ones have
 * marked. Rows come and go meanwhile, and a walk may lose its way when the row ahead of it goes: the last piece is one
 * that has found nothing left to look at, or the second that has found next to nothing. Such programs (5.14) are
 * sleepable, and those may use tables without preallocated rows only since 6.1 (fba1a1c6c912: own allocator).
 */
static __always_inline bool ends_piece(struct walk_piece *piece)
{
    return piece->looked >= piece->rows || bpf_ringbuf_query(&swept, BPF_RB_AVAIL_DATA) > piece->bytes;
}

/* walk_ROWs: a piece of that table. `look`: what is done with `row` at `key`; the callback goes on with a row that it
 * had in hand before, so this one may leave the table. */
#define WALK(row_type, key_type, look)                                                                           \
    static long walk_##row_type(struct bpf_map *map, key_type *key, struct row_type *row, struct walk_piece *piece) \
    {                                                                                                            \
        if (row->swept == (u8)piece->generation)                                                                 \
            return 0;                                                                                            \
        if (ends_piece(piece))                                                                                   \
            return 1; /* no further row */                                                                       \
        piece->looked += 1;                                                                                      \
        row->swept = (u8)piece->generation;                                                                      \
        look;                                                                                                    \
        return 0;                                                                                                \
    }                                                                                                            \
    SEC("syscall")                                                                                               \
    int walk_##row_type##s(struct walk_piece *asked)                                                             \
    {                                                                                                            \
        struct walk_piece piece = {.generation = asked->generation, .rows = asked->rows, .bytes = asked->bytes}; \
        bpf_for_each_map_elem(&row_type##s, walk_##row_type, &piece, 0);                                         \
        asked->looked = piece.looked;                                                                            \
        return 0;                                                                                                \
    }

/* Global: verified once, not again for each row that a walk may have gone through before. */
__noinline int sweep_file_alone(u64 id)
{
    struct file_row *f = books_file(NULL, id);
    if (f && !sweep_file(NULL, id, f))
        drop_dead_file(f, id);
    return 0;
}

static __always_inline void sweep_registration(const struct registration_key *at, struct registration_row *r)
{
    struct registration_key key = *at;
    if (registration_gone(&key, r))
        drop_dead_registration(&key, r);
}

static __always_inline void sweep_epoll_alone(u64 *key, struct epoll_row *e)
{
    if (!sweep_epoll(NULL, key, e))
        books_remove_epoll(NULL, *key);
}

static __always_inline void sweep_thread_alone(u32 *key, struct thread_row *t)
{
    if (!sweep_thread(NULL, key, t))
        drop_dead_thread(*key);
}

WALK(file_row, u64, sweep_file_alone(*key))
WALK(registration_row, struct registration_key, sweep_registration(key, row))
WALK(epoll_row, u64, sweep_epoll_alone(key, row))
WALK(thread_row, u32, sweep_thread_alone(key, row))

/* What an iterator tells by a call without a row. */
SEC("syscall")
int walk_end(void *nothing)
{
    record_gone(RECORD_SWEEP_END, 0, 0, 0);
    return 0;
}
