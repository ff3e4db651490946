/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Hook set `trampoline`: fexit on the system calls that matter, fentry inside epoll.
 *
 * Why: other programs' other calls pay nothing at all, and the target's unrelated calls neither; inside
 * epoll it sees what no system call shows: epoll_ctl by io_uring, the exact moment at which a file becomes
 * ready, and the death of files and epoll instances. What it cannot see: io_uring reads and waits.
 *
 * `fexit/__x64_sys_epoll_*` cannot read its registers on 5.10 (BTF knows pt_regs there only as a forward
 * declaration), so epoll is hooked at do_epoll_wait() and do_epoll_ctl(), which take plain C arguments and
 * serve 32-bit callers as well.
 */
#pragma once

#include "calls.h"
#include "naps.h"
#include "noticed.h"

#if defined(__TARGET_ARCH_arm64)
#define CALL_SYMBOL(name) "__arm64_sys_" #name
#else
#define CALL_SYMBOL(name) "__x64_sys_" #name
#endif

/* Of a program without a twin. */
#define NEXT_SLOT (2 + __COUNTER__)

/*
 * A program and its twin (twins.h): `body` is what either does, with the slot it is given; slots 0 and 1 belong
 * to the tracepoint set. In a trampoline what was attached last runs first (bpf_trampoline_link_prog() adds to
 * the head of the list), and programs are attached in the order in which they stand here: twins stand first.
 */
#define PAIR(section, name, body)                                       \
    enum { SLOT_##name = 2 + __COUNTER__ };                             \
    _Static_assert(SLOT_##name < CALL_SLOTS / 2, "no slot for " #name); \
    SEC(section)                                                        \
    int name##_twin(u64* ctx)                                           \
    {                                                                   \
        const u32 slot = TWIN_OF(SLOT_##name);                          \
        (void)slot; /* not every body wants it */                       \
        return first_has_run(SLOT_##name) ? 0 : (body);                 \
    }                                                                   \
    SEC(section)                                                        \
    int name(u64* ctx)                                                  \
    {                                                                   \
        const u32 slot = SLOT_##name;                                   \
        leave_mark(slot);                                               \
        return (body);                                                  \
    }

/*
 * The context of these programs is {regs, result}. Where the kernel's BTF knows pt_regs only as a forward
 * declaration (5.10: all socket calls), the verifier refuses to load the pointer from it; the slot can still
 * be read as plain memory.
 */
static __always_inline struct call* call_of(u64* ctx, u32 slot, u64 ids, s64 result)
{
    if (probe_registers) {
        u64 address = 0;
        bpf_probe_read_kernel(&address, sizeof(address), &ctx[0]);
        struct pt_regs* regs = (void*)address;
        struct call* c = open_call(slot, ids, result);
        if (!c)
            return NULL;
        c->argument[0] = probe_call_argument0(regs);
        c->argument[1] = probe_call_argument1(regs);
        c->argument[2] = probe_call_argument2(regs);
        c->argument[3] = probe_call_argument3(regs);
        c->argument[4] = probe_call_argument4(regs);
        return c;
    }
    return begin_call(slot, (struct pt_regs*)ctx[0], ids, result);
}

static __always_inline int exit_of(u64* ctx, u8 class, u32 slot)
{
    u64 ids = current_ids();
    u32 how = how_watched_if_at_all(ids >> 32);
    if (!how || (how == NOTICED && !noticed_may_matter(class)))
        return 0;
    struct call* c = call_of(ctx, slot, ids, (s64)ctx[1]);
    if (c && (how == WATCHED || noticed_matters(class, ids, c->argument[1], c->posting.result)))
        post_exit(c, class);
    return 0;
}

#define EXIT_OF(name, class) PAIR("fexit/" CALL_SYMBOL(name), on_##name##_exit, exit_of(ctx, class, slot))

EXIT_OF(read, CALL_READ)
EXIT_OF(pread64, CALL_READ)
EXIT_OF(readv, CALL_READV)
EXIT_OF(preadv, CALL_READV)
EXIT_OF(preadv2, CALL_READV)
EXIT_OF(recvfrom, CALL_RECVFROM)
EXIT_OF(recvmsg, CALL_RECVMSG)
EXIT_OF(recvmmsg, CALL_RECVMMSG)
EXIT_OF(mq_timedreceive, CALL_READ) /* the same first three arguments */
EXIT_OF(write, CALL_WRITE)
EXIT_OF(pwrite64, CALL_WRITE)
EXIT_OF(writev, CALL_WRITEV)
EXIT_OF(pwritev, CALL_WRITEV)
EXIT_OF(pwritev2, CALL_WRITEV)
EXIT_OF(sendto, CALL_SENDTO)
EXIT_OF(sendmsg, CALL_SENDMSG)
EXIT_OF(sendmmsg, CALL_SENDMMSG)
EXIT_OF(splice, CALL_SPLICE)
EXIT_OF(tee, CALL_TEE)
EXIT_OF(sendfile64, CALL_SENDFILE)
EXIT_OF(accept, CALL_ACCEPT)
EXIT_OF(accept4, CALL_ACCEPT)
EXIT_OF(connect, CALL_CONNECT)
EXIT_OF(shutdown, CALL_SHUTDOWN)
EXIT_OF(fcntl, CALL_FCNTL)
EXIT_OF(timerfd_settime, CALL_SETTIME)
EXIT_OF(getsockopt, CALL_GETSOCKOPT)
EXIT_OF(ioctl, CALL_IOCTL)
EXIT_OF(futex, CALL_FUTEX)
EXIT_OF(io_uring_enter, CALL_IO_URING)

/*
 * --- calls that sleep on edge-triggered files without O_NONBLOCK ---
 *
 * Where sockets sleep, so that calls which do not sleep pay nothing. Missing from this set: the reader of a
 * Unix stream (unix_stream_data_wait() is inlined) and pipes.
 */

static __always_inline int may_sleep_on(struct sock* sk, u32 slot)
{
    u64 ids = current_ids();
    if (!facts.blocking_edges || !watched(ids >> 32))
        return 0;
    struct socket* socket = READ(sk, sk_socket);
    u64 file = socket ? (u64)READ(socket, file) : 0;
    struct file_row* f = file ? books_file(NULL, file) : NULL;
    struct call* c = f ? open_call(slot, ids, 0) : NULL;
    if (!c)
        return 0;
    stamp(c);
    c->posting.file = file;
    enter_call_on(c, f);
    return 0;
}

SEC("fentry/sk_wait_data")
int BPF_PROG(on_sk_wait_data, struct sock* sk) { return may_sleep_on(sk, NEXT_SLOT); }

SEC("fentry/sk_stream_wait_memory")
int BPF_PROG(on_sk_stream_wait_memory, struct sock* sk) { return may_sleep_on(sk, NEXT_SLOT); }

/* UDP, Unix datagrams, and accept() of a Unix listener. */
SEC("fentry/__skb_wait_for_more_packets")
int BPF_PROG(on_skb_wait_for_more_packets, struct sock* sk) { return may_sleep_on(sk, NEXT_SLOT); }

SEC("fentry/inet_csk_accept")
int BPF_PROG(on_inet_csk_accept, struct sock* sk) { return may_sleep_on(sk, NEXT_SLOT); }

/* --- descriptors that go away --------------------------------------------------------------------- */

static __always_inline int enter_close(u64* ctx, u32 slot, u8 class)
{
    u64 ids = current_ids();
    struct call* c = watched(ids >> 32) ? call_of(ctx, slot, ids, 0) : NULL;
    if (c) {
        seen(kind_of_class(class));
        if (class == CALL_CLOSE)
            post_close(c, (u32)c->argument[0]);
        else if (class == CALL_CLOSE_RANGE)
            post_close_range(c);
        else
            post_dup(c, class);
    }
    return 0;
}

PAIR("fentry/" CALL_SYMBOL(close), on_close_enter, enter_close(ctx, slot, CALL_CLOSE))
PAIR("fentry/" CALL_SYMBOL(close_range), on_close_range_enter, enter_close(ctx, slot, CALL_CLOSE_RANGE))
PAIR("fentry/" CALL_SYMBOL(dup2), on_dup2_enter, enter_close(ctx, slot, CALL_DUP2))
PAIR("fentry/" CALL_SYMBOL(dup3), on_dup3_enter, enter_close(ctx, slot, CALL_DUP3))

/* Only those that failed are of interest here: what they would have closed is open. */
static __always_inline int dup_returns(u64* ctx, u32 slot)
{
    u64 ids = current_ids();
    struct call* c = (s64)ctx[1] < 0 && watched(ids >> 32) ? call_of(ctx, slot, ids, (s64)ctx[1]) : NULL;
    if (c)
        dup_failed(c->which);
    return 0;
}

PAIR("fexit/" CALL_SYMBOL(dup2), on_dup2_exit, dup_returns(ctx, slot))
PAIR("fexit/" CALL_SYMBOL(dup3), on_dup3_exit, dup_returns(ctx, slot))

/*
 * The last reference to a watched file is gone and its registrations go with it: __fput() calls
 * eventpoll_release_file() before anything of the file is torn down, whoever held it last.
 */
static __always_inline int file_dies(struct file* file, u32 slot)
{
    u64 id = (u64)file;
    struct file_row* f = books_file(NULL, id);
    if (!f)
        return 0;
    struct call* c = open_call(slot, current_ids(), 0);
    if (c)
        bury_items(c, file, 0, -1);
    record_gone(RECORD_FILE_GONE, 0, id, 0);
    ledger_remove_file(NULL, f, id);
    return 0;
}

PAIR("fentry/eventpoll_release_file", on_eventpoll_release_file, file_dies((struct file*)ctx[0], slot))

/* The epoll instance itself is closed; its address may soon be another's. */
SEC("fentry/ep_eventpoll_release")
int BPF_PROG(on_ep_eventpoll_release, struct inode* inode, struct file* file)
{
    books_remove_epoll(NULL, (u64)READ(file, private_data));
    return 0;
}

#include "hooks_trampoline_epoll.h"

/* --- calls that no program above sees, while they are wanted (naps.h) ----------------------------- */

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_nap_exit, struct pt_regs* regs, long result)
{
    if (naps_wanted())
        nap_returns(NEXT_SLOT, regs);
    return 0;
}
