/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Reading the kernel: descriptors, what a file is, and the state it is in. */
#pragma once

#include "files.h"

/* --- state, split by what a posting needs, so that none pays for more ----------------------------- */

static __always_inline u8 shutdown_flags(struct sock* sk)
{
    u8 how = READ(sk, sk_shutdown);
    return (how & RCV_SHUTDOWN ? STATE_RCV_SHUTDOWN : 0) | (how & SEND_SHUTDOWN ? STATE_SEND_SHUTDOWN : 0);
}

/* Its end has no sequence number: whether the program has read it, only its calls tell. */
static __always_inline void mptcp_input(struct file_state* s, struct sock* sk)
{
    struct mptcp_sock* mptcp = (void*)sk;
    if (!bpf_core_field_exists(mptcp->bytes_consumed))
        return;
    u64 consumed = READ(mptcp, bytes_consumed);
    s64 left = (s64)(READ(mptcp, bytes_received) - consumed);
    s->flags |= shutdown_flags(sk);
    s->unread = left > 0 ? (u32)left : 0;
    s->io = consumed << 32;
}

static __always_inline void tcp_input(struct file_state* s, struct sock* sk)
{
    if (is_mptcp(sk))
        return mptcp_input(s, sk);
    struct tcp_sock* tcp = (void*)sk;
    u32 copied = READ(tcp, copied_seq);
    u32 left = READ(tcp, rcv_nxt) - copied;
    s->flags |= shutdown_flags(sk);
    /* The FIN takes a sequence number: tcp_fin() advances rcv_nxt, tcp_recvmsg() passes it when it
     * returns 0. Until then it is the last unread "byte", and tcp_inq() subtracts it likewise. */
    if ((s->flags & STATE_RCV_SHUTDOWN) && left && left < 0x80000000) {
        s->flags |= STATE_EOF_UNREAD;
        left -= 1;
    }
    s->unread = left < 0x80000000 ? left : 0;
    s->io = (u64)copied << 32;
}

static __always_inline void queue_input(struct file_state* s, struct sock* sk, u8 kind)
{
    u32 length = READ(sk, sk_receive_queue.qlen);
    s->io = length ? (u64)READ(sk, sk_receive_queue.next) : 0;
    if (kind == FILE_UDP) { /* since 4.13 the reader splices the queue to a private one (2276f58ac589) */
        struct udp_sock* udp = (void*)sk;
        u32 private_length = READ(udp, reader_queue.qlen);
        if (private_length)
            s->io = (u64)READ(udp, reader_queue.next);
        length += private_length;
    }
    s->unread = length;
    s->flags |= shutdown_flags(sk);
}

static __always_inline void listener_input(struct file_state* s, struct sock* sk)
{
    /* unix_listen() queues embryos on the receive queue; inet counts them in sk_ack_backlog. */
    struct mptcp_sock* mptcp = (void*)sk;
    if (READ(sk, __sk_common.skc_family) == AF_UNIX) {
        s->backlog = READ(sk, sk_receive_queue.qlen);
        return;
    }
    if (bpf_core_field_exists(mptcp->first) && is_mptcp(sk))
        sk = READ(mptcp, first);
    s->backlog = READ(sk, sk_ack_backlog);
}

static __always_inline void pipe_input(struct file_state* s, struct pipe_inode_info* pipe)
{
    u32 head, tail;
    if (bpf_core_field_size(pipe->head) == 2) {
        struct pipe_inode_info___short* narrow = (void*)pipe;
        head = BPF_CORE_READ(narrow, head);
        tail = BPF_CORE_READ(narrow, tail);
    } else {
        head = READ(pipe, head);
        tail = READ(pipe, tail);
    }
    s->io = (u64)head << 32 | tail;
    s->unread = head - tail;
}

/*
 * Of an epoll in an epoll: how often it was waited on, and what was done about the first of its files that is ready, which
 * may be read without asking the epoll. 0: nothing is ready any more, or somebody who is not watched has a part in it.
 */
static __always_inline u64 inner_token(struct eventpoll* ep)
{
    struct epoll_row* inner = books_epoll(NULL, (u64)ep);
    struct list_head* head = (void*)ep + bpf_core_field_offset(ep->rdllist);
    struct list_head* at = READ(head, next);
    if (!inner || !at || at == head)
        return 0;
    struct epitem* item = (void*)at - bpf_core_field_offset(struct epitem, rdllink);
    const struct file_row* f = books_file(NULL, (u64)READ(item, ffd.file));
    return f ? (inner->waits + 1) << 32 | f->moves : 0;
}

/* What is there to consume, and the consuming half of the progress token. */
static __always_inline void read_input(struct file_state* s, struct file* file, u8 kind)
{
    void* private = READ(file, private_data);
    if (kind == FILE_TCP || kind == FILE_LISTENER || kind == FILE_UDP || kind == FILE_UNIX) {
        struct sock* sk = READ((struct socket*)private, sk);
        if (kind == FILE_TCP)
            tcp_input(s, sk);
        else if (kind == FILE_LISTENER)
            listener_input(s, sk);
        else
            queue_input(s, sk, kind);
    } else if (kind == FILE_PIPE) {
        pipe_input(s, private);
    } else if (kind == FILE_EVENTFD) {
        s->io = READ((struct eventfd_ctx*)private, count);
        s->unread = s->io != 0;
    } else if (kind == FILE_TIMERFD) {
        s->io = READ((struct timerfd_ctx*)private, ticks);
        s->unread = s->io != 0;
    } else if (kind == FILE_EPOLL) {
        s->io = inner_token(private);
    }
}

static __always_inline bool is_socket(u8 kind) { return kind == FILE_TCP || kind == FILE_UDP || kind == FILE_UNIX; }

static __always_inline u32 written(struct sock* sk)
{
    struct mptcp_sock* mptcp = (void*)sk;
    if (bpf_core_field_exists(mptcp->write_seq) && is_mptcp(sk))
        return (u32)READ(mptcp, write_seq);
    return READ((struct tcp_sock*)sk, write_seq);
}

/* The rest of the progress token: what was sent, and pending errors. */
static __always_inline void read_token(struct file_state* s, struct file* file, u8 kind)
{
    read_input(s, file, kind);
    if (!is_socket(kind))
        return;
    struct sock* sk = sock_of_file(file);
    if (kind == FILE_TCP)
        s->io |= written(sk);
    s->aux = (u64)READ(sk, sk_error_queue.qlen) << 16 | (u16)READ(sk, sk_err);
}

/* TCP_NOTSENT_LOWAT (trio): no EPOLLOUT while half as much has not been sent yet, whatever room there is. */
static __always_inline bool held_by_lowat(struct sock* sk)
{
    struct tcp_sock* tcp = (struct tcp_sock*)sk;
    u32 limit = READ(tcp, notsent_lowat);
    if (!limit) {
        struct net* net = READ(sk, __sk_common.skc_net.net);
        limit = READ(net, ipv4.sysctl_tcp_notsent_lowat);
    }
    u32 unsent = READ(tcp, write_seq) - READ(tcp, snd_nxt);
    return (u64)unsent << 1 >= limit;
}

/* As sk_stream_is_writeable(): free space at least half of what is queued, and TCP's own limit. */
static __always_inline bool tcp_writable(struct sock* sk, s32 queued)
{
    return READ(sk, sk_sndbuf) - queued >= queued >> 1 && (is_mptcp(sk) || !held_by_lowat(sk));
}

/* As unix_writable(): what the peer has not read fills less than a quarter of the buffer. */
static __always_inline bool unix_writable(struct sock* sk, s32 queued)
{
    return (s64)queued << 2 <= READ(sk, sk_sndbuf);
}

/* Can more be sent? */
static __always_inline void read_output(struct file_state* s, struct file* file, u8 kind)
{
    if (kind != FILE_TCP && kind != FILE_UNIX)
        return;
    struct sock* sk = sock_of_file(file);
    s32 queued = kind == FILE_TCP ? READ(sk, sk_wmem_queued) : READ(sk, sk_wmem_alloc.refs.counter);
    s->unsent = (u32)queued;
    if (kind == FILE_TCP ? tcp_writable(sk, queued) : unix_writable(sk, queued))
        s->flags |= STATE_WRITABLE;
    if (READ(sk, sk_type) == SOCK_STREAM)
        s->flags |= STATE_STREAM;
    s->sk_state = READ(sk, __sk_common.skc_state);
}
