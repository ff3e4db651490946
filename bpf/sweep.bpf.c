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

SEC("iter/bpf_map_elem")
int on_sweep(struct bpf_iter__bpf_map_elem *ctx)
{
    u64 *key = ctx->key;
    struct file_row *f = ctx->value;
    if (key && f)
        sweep_file(ctx->meta->seq, *key, f);
    else
        record_gone(RECORD_SWEEP_END, 0, 0, 0);
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_registrations(struct bpf_iter__bpf_map_elem *ctx)
{
    struct registration_key *key = ctx->key;
    struct registration_row *r = ctx->value;
    if (key && r)
        sweep_registration(key, r);
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_epolls(struct bpf_iter__bpf_map_elem *ctx)
{
    u64 *key = ctx->key;
    struct epoll_row *e = ctx->value;
    if (key && e)
        sweep_epoll(ctx->meta->seq, key, e);
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_threads(struct bpf_iter__bpf_map_elem *ctx)
{
    u32 *key = ctx->key;
    struct thread_row *t = ctx->value;
    if (key && t)
        sweep_thread(ctx->meta->seq, key, t);
    return 0;
}

/* --- walks in pieces ------------------------------------------------------------------------------ */

/*
 * bpf_for_each_map_elem() (5.13) always begins at the first row, so a piece passes over as many rows as the earlier
 * ones have left in the table. Rows that come and go meanwhile may shift one row out of this sweep, or show it twice:
 * the next sweep sees it. Such programs (5.14) are sleepable, and those may use tables without preallocated rows only
 * since 6.1 (fba1a1c6c912: own allocator).
 */
enum turn { TURN_OVER, TURN_LATER, TURN_NOW };

static __always_inline enum turn turn_of_row(struct walk_piece *piece)
{
    if (piece->skip) {
        piece->skip -= 1;
        return TURN_OVER;
    }
    if (!piece->rows || bpf_ringbuf_query(&swept, BPF_RB_AVAIL_DATA) > piece->bytes) {
        piece->more = 1;
        return TURN_LATER;
    }
    piece->rows -= 1;
    return TURN_NOW;
}

/* walk_ROWs: a piece of that table. `keep`: what is done with `row` at `key`; is it still in the table then? */
#define WALK(row_type, key_type, keep)                                                                           \
    static long walk_##row_type(struct bpf_map *map, key_type *key, struct row_type *row, struct walk_piece *piece) \
    {                                                                                                            \
        enum turn turn = turn_of_row(piece);                                                                     \
        if (turn == TURN_NOW && (keep))                                                                          \
            piece->kept += 1;                                                                                    \
        return turn == TURN_LATER; /* 1: no further row */                                                       \
    }                                                                                                            \
    SEC("syscall")                                                                                               \
    int walk_##row_type##s(struct walk_piece *asked)                                                             \
    {                                                                                                            \
        struct walk_piece piece = {.skip = asked->skip, .rows = asked->rows, .bytes = asked->bytes};             \
        bpf_for_each_map_elem(&row_type##s, walk_##row_type, &piece, 0);                                         \
        asked->kept = piece.kept;                                                                                \
        asked->more = piece.more;                                                                                \
        return 0;                                                                                                \
    }

/* Global: verified once, not again for each row that a walk may have gone through before. */
__noinline int sweep_file_alone(u64 id)
{
    struct file_row *f = books_file(NULL, id);
    return f && sweep_file(NULL, id, f);
}

WALK(file_row, u64, sweep_file_alone(*key))
WALK(registration_row, struct registration_key, sweep_registration(key, row))
WALK(epoll_row, u64, sweep_epoll(NULL, key, row))
WALK(thread_row, u32, sweep_thread(NULL, key, row))

/* What an iterator tells by a call without a row. */
SEC("syscall")
int walk_end(void *nothing)
{
    record_gone(RECORD_SWEEP_END, 0, 0, 0);
    return 0;
}
