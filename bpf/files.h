/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Which file a number leads to, who else has it, and what kind of file it is. */
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
