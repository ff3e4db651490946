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
const struct walk_piece* walk_piece_layout;

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
    struct file_row* f = id ? books_file(NULL, id) : NULL;
    if (f && !same_file((struct file*)id, f))
        drop_dead_file(f, id);
    return 0;
}

__noinline int bury_epoll(u64 id)
{
    const struct epoll_row* e = id ? books_epoll(NULL, id) : NULL;
    if (e && !epoll_lives(e, id))
        books_remove_epoll(NULL, id);
    return 0;
}

__noinline int bury_thread(u32 tid)
{
    const struct thread_row* t = books_thread(NULL, tid);
    if (t && !thread_lives(tid, t))
        drop_dead_thread(tid);
    return 0;
}

__noinline int bury_registration(u32 nothing)
{
    struct registration_key key = dead_registration;
    struct registration_row* r = key.epoll ? books_registration(NULL, &key) : NULL;
    if (r && registration_gone(&key, r))
        drop_dead_registration(&key, r);
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep(struct bpf_iter__bpf_map_elem* ctx)
{
    u64* key = ctx->key;
    struct file_row* f = ctx->value;
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
int on_sweep_registrations(struct bpf_iter__bpf_map_elem* ctx)
{
    struct registration_key* key = ctx->key;
    struct registration_row* r = ctx->value;
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
int on_sweep_epolls(struct bpf_iter__bpf_map_elem* ctx)
{
    u64* key = ctx->key;
    struct epoll_row* e = ctx->value;
    if (dead_epoll)
        bury_epoll(dead_epoll);
    dead_epoll = 0;
    if (key && e && !sweep_epoll(ctx->meta->seq, key, e))
        dead_epoll = *key;
    return 0;
}

SEC("iter/bpf_map_elem")
int on_sweep_threads(struct bpf_iter__bpf_map_elem* ctx)
{
    u32* key = ctx->key;
    struct thread_row* t = ctx->value;
    if (dead_thread)
        bury_thread(dead_thread);
    dead_thread = 0;
    if (key && t && !sweep_thread(ctx->meta->seq, key, t))
        dead_thread = *key;
    return 0;
}

/* --- walks in pieces ------------------------------------------------------------------------------ */

/*
 * User space lists the keys of a table (those of files only when some came or went) and has their rows looked at, a piece at
 * a time. A row that comes meanwhile is seen by the next walk, and one that goes is not found. Such programs (5.14) are
 * sleepable, and those may use tables without preallocated rows only since 6.1 (fba1a1c6c912: own allocator).
 *
 * Rejected: bpf_for_each_map_elem(). It begins at the first row, always: the pieces of a walk over 20,000 rows that are
 * all handed over passed over half a million, a third of what a look cost.
 */
u64 walk_ids[WALK_KEYS] = {};
struct registration_key walk_registrations[WALK_KEYS] = {};

/*
 * Rows lie anywhere in memory, and so does what the kernel has of their files: a walk waits for one cache line after another
 * most of its time. Read once before, in loops that do little else, those of several rows are waited for at once. What an
 * address has to be read for comes in a later loop: from the file to its inode and its socket, from there to the sock, and
 * the rows with the item that they know. A file that is gone leads anywhere, which is no harm.
 */
u32 touched = 0; /* or clang would see that nobody wants what is read */

#define LINE (64 / sizeof(u64))

static __always_inline struct file* touched_file(u32 at) { return (void*)(at < WALK_KEYS ? walk_ids[at] : 0); }

__noinline int touch_file(u32 at) { return (int)plain((u64)READ(touched_file(at), f_inode)); }

/* NULL: it is no socket. */
static __always_inline struct sock* touched_sock(u32 at)
{
    struct file* file = touched_file(at);
    return (u64)poll_of(file) == facts.poll[FILE_TCP] ? sock_of_file(file) : NULL;
}

__noinline int touch_inode(u32 at)
{
    return (int)(READ(touched_file(at), f_inode, i_ino) + plain((u64)touched_sock(at)));
}

__noinline int touch_sock(u32 at)
{
    struct sock* sk = touched_sock(at);
    return sk ? READ(sk, sk_err) + READ(sk, __sk_common.skc_state) + READ(sk, sk_receive_queue.qlen) : 0;
}

static __always_inline u64 touch_item(const struct registration_row* r)
{
    struct epitem* item = (void*)r->item;
    return item ? READ(item, event.events) + READ(item, ffd.fd) : 0;
}

static __always_inline u64 touch_tcp(const struct file_row* f, u64 id)
{
    if (f->kind != FILE_TCP)
        return 0;
    struct tcp_sock* tcp = (void*)sock_of_file((struct file*)id);
    return READ(tcp, copied_seq) + READ(tcp, write_seq);
}

__noinline int touch_rows(u32 at)
{
    u64 id = (u64)touched_file(at);
    const struct file_row* f = id ? books_file(NULL, id) : NULL;
    if (!f)
        return 0;
    u64 sum = 0;
    for (u32 i = 0; i < sizeof(*f) / sizeof(u64); i += LINE)
        sum += ((const volatile u64*)f)[i];
    struct registration_key key = {.epoll = f->home, .file = id, .fd = f->home_fd, .pad = 0};
    const struct registration_row* r = f->home ? books_registration(NULL, &key) : NULL;
    if (!r)
        return (int)sum;
    for (u32 i = 0; i < sizeof(*r) / sizeof(u64); i += LINE)
        sum += ((const volatile u64*)r)[i];
    return (int)(sum + touch_item(r) + touch_tcp(f, id));
}

/* These are global: each is verified once, not again for each row that a walk may have gone through before. */
__noinline int walk_file(u32 at)
{
    u64 id = at < WALK_KEYS ? walk_ids[at] : 0;
    struct file_row* f = id ? books_file(NULL, id) : NULL;
    if (f && !sweep_file(NULL, id, f))
        drop_dead_file(f, id);
    return 0;
}

__noinline int walk_registration(u32 at)
{
    if (at >= WALK_KEYS)
        return 0;
    struct registration_key key = walk_registrations[at];
    struct registration_row* r = books_registration(NULL, &key);
    if (r && registration_gone(&key, r))
        drop_dead_registration(&key, r);
    return 0;
}

__noinline int walk_epoll(u32 at)
{
    u64 id = at < WALK_KEYS ? walk_ids[at] : 0;
    struct epoll_row* e = id ? books_epoll(NULL, id) : NULL;
    if (e && !sweep_epoll(NULL, &id, e))
        books_remove_epoll(NULL, id);
    return 0;
}

__noinline int walk_thread(u32 at)
{
    u32 tid = at < WALK_KEYS ? (u32)walk_ids[at] : 0;
    struct thread_row* t = tid ? books_thread(NULL, tid) : NULL;
    if (t && !sweep_thread(NULL, &tid, t))
        drop_dead_thread(tid);
    return 0;
}

#define TOUCH(what)                                                                 \
    for (u32 i = 0, at = piece->first; i < WALK_KEYS && at < piece->end; i++, at++) \
        sum += (u32)touch_##what(at);

static __always_inline void touch_files(const struct walk_piece* piece)
{
    u32 sum = 0;
    if (typed_loads) { /* else each read is a call, which costs as much as it would save */
        TOUCH(file)
        TOUCH(inode)
        TOUCH(sock)
    }
    TOUCH(rows)
    touched = sum; /* not at each row: probes read what lies beside it */
}

#define WALK(row, prepare)                                                                       \
    SEC("syscall")                                                                               \
    int walk_##row##_rows(struct walk_piece* piece)                                              \
    {                                                                                            \
        u32 at = piece->first;                                                                   \
        prepare;                                                                                 \
        for (u32 i = 0; i < WALK_KEYS; i++) {                                                    \
            if (at >= piece->end || bpf_ringbuf_query(&swept, BPF_RB_AVAIL_DATA) > piece->bytes) \
                break; /* a piece ends before the ring is full, and two long rows fit */         \
            walk_##row(at++);                                                                    \
        }                                                                                        \
        piece->next = at;                                                                        \
        return 0;                                                                                \
    }

WALK(file, touch_files(piece))
WALK(registration, )
WALK(epoll, )
WALK(thread, )

/* What an iterator tells by a call without a row. */
SEC("syscall")
int walk_end(void* nothing)
{
    record_gone(RECORD_SWEEP_END, 0, 0, 0);
    return 0;
}
