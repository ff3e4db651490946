// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Sockets that no epoll holds. No probe is needed to know that nobody has touched a connection: what the kernel has taken
 * off the wire all lies in its queue, and nothing was ever sent. Two walks over descriptors, each now and then.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "ids.h"
#include "item.h"
#include "socket_name.h"
#include "state.h"
#include "unregistered.h"

/* What the second walk is to look for: a file (its address), or connections of a listener (its port, which counts them). */
struct asked_table {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, UNREGISTERED_ASKED);
    __type(key, u64);
    __type(value, u64);
};
struct asked_table asked_sockets SEC(".maps");

/* It only lives on stacks; this makes its layout part of the object, where a test looks it up. */
const struct unregistered_socket* unregistered_socket_layout;

/* bytes_received counts the FIN, as rcv_nxt does. */
static __always_inline bool tcp_touched(struct sock* sk)
{
    struct tcp_sock* tcp = (struct tcp_sock*)sk;
    u32 waiting = READ(tcp, rcv_nxt) - READ(tcp, copied_seq);
    return (u32)READ(tcp, bytes_received) != waiting || READ(tcp, data_segs_out);
}

/* False: it is no TCP socket. Multipath TCP keeps its counts elsewhere, and is left alone. */
static __always_inline bool read_unregistered(struct unregistered_socket* out, struct file* file)
{
    u8 kind = kind_of_file(file);
    if (kind != FILE_TCP && kind != FILE_LISTENER)
        return false;
    struct sock* sk = sock_of_file(file);
    if (READ(sk, __sk_common.skc_family) == AF_UNIX || is_mptcp(sk))
        return false;
    const struct file_row* f = books_file(NULL, (u64)file);
    out->file = (u64)file;
    out->ino = READ(file, f_inode, i_ino);
    out->kind = kind;
    if (in_an_epoll(file))
        out->flags |= SOCKET_REGISTERED;
    if (f && f->armed_at && f->ino == out->ino)
        out->flags |= SOCKET_ONCE;
    if (kind == FILE_TCP && tcp_touched(sk))
        out->flags |= SOCKET_TOUCHED;
    read_token(&out->state, file, kind);
    out->state.sk_state = READ(sk, __sk_common.skc_state);
    name_socket(&out->name, file, kind);
    return true;
}

static __always_inline bool stands(const struct unregistered_socket* s)
{
    return s->kind == FILE_TCP && (s->state.sk_state == SK_ESTABLISHED || s->state.sk_state == SK_CLOSE_WAIT);
}

/* All listeners are shown, by whose ports user space knows what was accepted, and all that are not connected yet. */
static __always_inline bool worth_telling(const struct unregistered_socket* s)
{
    if (s->kind == FILE_LISTENER || s->state.sk_state == SK_SYN_SENT)
        return true;
    return stands(s) && !s->flags && (s->state.unread || (s->state.flags & STATE_EOF_UNREAD));
}

SEC("iter/task_file")
int on_unregistered(struct bpf_iter__task_file* ctx)
{
    struct task_struct* task = ctx->task;
    struct file* file = ctx->file;
    if (!task || !file || !watched(tgid_of(task)))
        return 0;
    struct unregistered_socket out = {.fd = (s32)ctx->fd};
    if (!read_unregistered(&out, file) || !worth_telling(&out))
        return 0;
    out.tgid = tgid_of(task);
    bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
    return 0;
}

/* Who else has those that were asked for, and is any connection of their listeners served? */
SEC("iter/task_file")
int on_unregistered_holders(struct bpf_iter__task_file* ctx)
{
    struct task_struct* task = ctx->task;
    struct file* file = ctx->file;
    if (!task || !file)
        return 0;
    u64 key = (u64)file;
    bool asked = bpf_map_lookup_elem(&asked_sockets, &key) != NULL;
    if (!asked && !watched(tgid_of(task)))
        return 0;
    struct unregistered_socket out = {.fd = (s32)ctx->fd};
    if (!read_unregistered(&out, file))
        return 0;
    if (asked) {
        out.tgid = tgid_of(task);
        bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
    }
    key = out.name.local_port;
    u64* served = stands(&out) && out.flags ? bpf_map_lookup_elem(&asked_sockets, &key) : NULL;
    if (served)
        *served += 1;
    return 0;
}
