/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Reading the kernel: descriptors, what a file is, and the state it is in. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "tables.h"

static __always_inline struct file* file_of_fd(struct task_struct* task, u32 fd)
{
    struct fdtable* table = READ(task, files, fdt);
    if (fd >= READ(table, max_fds))
        return NULL;
    struct file** slots = READ(table, fd);
    /* To BTF a slot is no struct; any kernel struct that begins with a pointer serves. */
    return (struct file*)READ((struct hlist_head*)(slots + fd), first);
}

/* No O_CLOEXEC. `fd` is a valid descriptor. */
static __always_inline bool survives_exec(struct task_struct* task, u32 fd)
{
    u64 word = 0;
    unsigned long* bits = BPF_CORE_READ(task, files, fdt, close_on_exec);
    if (!bits || bpf_probe_read_kernel(&word, sizeof(word), bits + fd / 64))
        return false;
    return !(word >> (fd % 64) & 1);
}

/*
 * Will dup2() or dup3(), which begins, close what `to` leads to? ksys_dup3() asks the same first, and fails without having
 * touched anything: EINVAL for flags and for a number dup3() is to copy onto itself, EBADF for a source that leads nowhere
 * or a target at or beyond the limit.
 */
static __always_inline bool dup_replaces(struct task_struct* task, u32 from, u32 to, u32 flags)
{
    if ((flags & ~O_CLOEXEC_BIT) || from == to || !file_of_fd(task, from))
        return false;
    return to < BPF_CORE_READ(task, signal, rlim[RLIMIT_NOFILE_SLOT].rlim_cur);
}

static __always_inline void* poll_of(struct file* file) { return READ(file, f_op, poll); }

static __always_inline bool is_epoll(struct file* file) { return file && (u64)poll_of(file) == facts.poll[FILE_EPOLL]; }

/* The struct eventpoll behind a descriptor, 0 when it is none. */
static __always_inline u64 epoll_of_fd(struct task_struct* task, u32 fd)
{
    struct file* file = file_of_fd(task, fd);
    return is_epoll(file) ? (u64)READ(file, private_data) : 0;
}

/*
 * How many references does the file have beyond the first? Negative: it is dead. Up to 6.12 f_count is the
 * number itself; since 6.13 file_ref_init() stores one less, and dead or released files have the top bit set.
 */
static __always_inline s64 more_references(struct file* file)
{
    struct file___ref* with_ref = (void*)file;
    if (bpf_core_field_exists(with_ref->f_ref.refcnt.counter))
        return BPF_CORE_READ(with_ref, f_ref.refcnt.counter);
    struct file___count* with_count = (void*)file;
    return BPF_CORE_READ(with_count, f_count.counter) - 1;
}

/*
 * Does closing the descriptor end the file? Asked at the entry of close(): a concurrent system call on the
 * same descriptor may hold another reference for a moment, then the sweep finds the file dead instead.
 */
static __always_inline bool last_reference(struct file* file) { return more_references(file) == 0; }

/* What multipath TCP keeps is known where the kernel counts what the program has taken; listeners since there are any. */
static __always_inline u8 mptcp_kind(u8 state)
{
    struct mptcp_sock* mptcp = NULL;
    if (state == TCP_LISTEN)
        return bpf_core_field_exists(mptcp->first) ? FILE_LISTENER : FILE_OTHER;
    return bpf_core_field_exists(mptcp->bytes_consumed) ? FILE_TCP : FILE_OTHER;
}

static __always_inline u8 socket_kind(struct sock* sk)
{
    u16 family = READ(sk, __sk_common.skc_family);
    u16 type = READ(sk, sk_type);
    u16 protocol = READ(sk, sk_protocol);
    u8 state = READ(sk, __sk_common.skc_state);
    if (family == AF_UNIX)
        return state == TCP_LISTEN ? FILE_LISTENER : FILE_UNIX;
    if (family == AF_NETLINK)
        return FILE_NETLINK;
    if (family != AF_INET && family != AF_INET6)
        return FILE_OTHER;
    if (type == SOCK_STREAM && protocol == IPPROTO_TCP)
        return state == TCP_LISTEN ? FILE_LISTENER : FILE_TCP;
    if (type == SOCK_DGRAM && protocol == IPPROTO_UDP)
        return FILE_UDP;
    if (type == SOCK_STREAM && protocol == IPPROTO_MPTCP) {
        u8 kind = mptcp_kind(state);
        if (kind == FILE_OTHER)
            facts.mptcp = MPTCP_UNSEEN;
        else if (!facts.mptcp)
            facts.mptcp = MPTCP_MET;
        return kind;
    }
    return FILE_OTHER;
}

/* Asked of FILE_TCP and FILE_LISTENER: most machines never have any, and are spared the look. */
static __always_inline bool is_mptcp(struct sock* sk)
{
    return facts.mptcp && READ(sk, sk_protocol) == IPPROTO_MPTCP && READ(sk, sk_type) == SOCK_STREAM;
}

static __always_inline struct sock* sock_of_file(struct file* file)
{
    struct socket* socket = READ(file, private_data);
    return READ(socket, sk);
}

static __always_inline u8 kind_of_file(struct file* file)
{
    u64 poll = (u64)poll_of(file);
    if (!poll)
        return FILE_OTHER;
    if (poll == facts.poll[FILE_TCP]) {
        struct sock* sk = sock_of_file(file);
        return sk ? socket_kind(sk) : FILE_OTHER;
    }
    if (poll == facts.poll[FILE_PIPE])
        return FILE_PIPE;
    if (poll == facts.poll[FILE_EVENTFD])
        return FILE_EVENTFD;
    if (poll == facts.poll[FILE_TIMERFD])
        return FILE_TIMERFD;
    if (poll == facts.poll[FILE_SIGNALFD])
        return FILE_SIGNALFD;
    if (poll == facts.poll[FILE_EPOLL])
        return FILE_EPOLL;
    if (poll == facts.poll[FILE_INOTIFY])
        return FILE_INOTIFY;
    if (poll == facts.poll[FILE_PIDFD])
        return FILE_PIDFD;
    if (poll == facts.poll[FILE_TTY])
        return FILE_TTY;
    return FILE_OTHER;
}

/* Could a write to this unregistered file set somebody else to work? Cheap: one look at the inode. */
static __always_inline bool reaches_others(struct file* file)
{
    u16 type = READ(file, f_inode, i_mode) & S_IFMT;
    return type == S_IFSOCK || type == S_IFIFO || (u64)poll_of(file) == facts.poll[FILE_EVENTFD];
}

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
