/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Hook set `trampoline`, the functions of fs/eventpoll.c: the interest list, waiting, readiness. Included by hooks_trampoline.h,
 * which has the calls on the files themselves.
 */
#pragma once

/* --- the interest list ---------------------------------------------------------------------------- */

/* A call on an epoll that a watched process makes, for programs that are not handed registers. */
static __always_inline struct call* watched_call(u32 slot, s64 result)
{
    u64 ids = current_ids();
    u32 how = how_watched_if_at_all(ids >> 32);
    if (how == NOTICED)
        watch_from_now_on(ids);
    return how ? open_call(slot, ids, result) : NULL;
}

static __always_inline int created(long result, u32 slot)
{
    struct call* c = watched_call(slot, result);
    if (c) {
        seen(POSTING_CREATE);
        post_create(c);
    }
    return 0;
}

/* Only the result is used, so that 5.10 does not mind. */
PAIR("fexit/" CALL_SYMBOL(epoll_create), on_epoll_create_exit, created((s64)ctx[1], slot))
PAIR("fexit/" CALL_SYMBOL(epoll_create1), on_epoll_create1_exit, created((s64)ctx[1], slot))

/* Through here come epoll_ctl() and, up to 7.1, io_uring's. The event lies in kernel memory. */
static __always_inline int ctl_by_fd(u32 slot, u32 epfd, u32 operation, u32 fd, u64 event, s32 result)
{
    struct call* c = watched_call(slot, result);
    if (c) {
        seen(POSTING_MOD);
        c->kernel_events = 1;
        c->argument[0] = epfd;
        c->argument[1] = operation;
        c->argument[2] = fd;
        c->argument[3] = event;
        post_ctl(c);
    }
    return 0;
}

extern const volatile bool ctl_file_hooked; /* on_do_epoll_ctl_file sees what comes that far */

/* A number that leads nowhere never comes that far (7.2: do_epoll_ctl() looks both files up first). */
static __always_inline bool ctl_ends_here(s32 result) { return !ctl_file_hooked || result == -ERRNO_EBADF; }

PAIR("fexit/do_epoll_ctl", on_do_epoll_ctl,
     !ctl_ends_here((s32)ctx[5]) ? 0 : ctl_by_fd(slot, (u32)ctx[0], (u32)ctx[1], (u32)ctx[2], ctx[3], (s32)ctx[5]))

/* Since 7.2 both epoll_ctl() and io_uring come through here, with the files already looked up. */
static __always_inline int ctl_by_file(u32 slot, struct file* epoll_file, u32 operation, struct epoll_key* target,
                                       u64 event, s32 result)
{
    struct call* c = watched_call(slot, result);
    if (c) {
        seen(POSTING_MOD);
        c->kernel_events = 1;
        c->argument[3] = event;
        c->posting.epfd = -1;
        c->posting.epoll = (u64)READ(epoll_file, private_data);
        c->posting.fd = READ(target, fd);
        post_ctl_on(c, READ(target, file), operation);
    }
    return 0;
}

PAIR("fexit/do_epoll_ctl_file", on_do_epoll_ctl_file,
     ctl_by_file(slot, (struct file*)ctx[0], (u32)ctx[1], (struct epoll_key*)ctx[2], ctx[3], (s32)ctx[5]))

/* --- waiting -------------------------------------------------------------------------------------- */

static __always_inline s64 timeout_of(u64 argument, u64 now)
{
    s64 when[2] = {};
    if (facts.timeout_in_ms) /* 5.10 */
        return (s32)argument;
    if (!argument)
        return -1;
    if (bpf_probe_read_kernel(when, sizeof(when), (void*)argument))
        return -1;
    if (!when[0] && !when[1])
        return 0;
    s64 left = when[0] * (s64)NSEC_PER_SEC + when[1] - (s64)now; /* a deadline on CLOCK_MONOTONIC */
    u64 ms = left > 0 ? (u64)left / NSEC_PER_MSEC : 0;
    return ms > 0x7fffffff ? 0x7fffffff : (s64)ms;
}

static __always_inline int wait_begins(u32 slot, s32 epfd, u64* timeout_slot)
{
    struct call* c = watched_call(slot, 0);
    if (!c)
        return 0;
    stamp(c);
    c->posting.kind = POSTING_WAIT;
    c->posting.epfd = epfd;
    c->posting.epoll = epoll_of_fd(current_task(), (u32)epfd);
    if (!c->posting.epoll)
        return 0;
    /* To the verifier the timeout is a pointer, with which 5.10's number could not be computed: the slot is
     * read as plain memory. */
    u64 timeout = 0;
    bpf_probe_read_kernel(&timeout, sizeof(timeout), timeout_slot);
    c->posting.amount = timeout_of(timeout, c->posting.time);
    ledger_wait(NULL, &c->posting);
    record(&c->posting, RECORD_POSTING);
    return 0;
}

static __always_inline int wait_ends(u32 slot, u32 epfd, u64 events, u32 max_events, s32 result)
{
    struct call* c = watched_call(slot, result);
    if (c) {
        seen(POSTING_RETURN);
        c->argument[0] = epfd;
        c->argument[1] = events;
        c->argument[2] = max_events;
        post_return(c);
    }
    return 0;
}

/* epoll_wait, epoll_pwait, epoll_pwait2 and their 32-bit forms all come here. */
PAIR("fentry/do_epoll_wait", on_do_epoll_wait_enter, wait_begins(slot, (s32)ctx[0], &ctx[3]))
PAIR("fexit/do_epoll_wait", on_do_epoll_wait_exit, wait_ends(slot, (u32)ctx[0], ctx[1], (u32)ctx[2], (s32)ctx[4]))

/* --- readiness ------------------------------------------------------------------------------------ */

/*
 * The seam itself: the file tells epoll. `key` is what became true (0: unknown); an eventfd's read side
 * also calls with EPOLLOUT to readers, so the wanted mask decides. Our own ring buffer's epoll comes here
 * as well and finds no row.
 */
static __always_inline int called_back(struct wait_queue_entry* entry, u32 key)
{
    struct eppoll_entry* link = (void*)entry - bpf_core_field_offset(struct eppoll_entry, wait);
    struct epitem* item = READ(link, base);
    u32 wanted = READ(item, event.events);
    if (key && !(key & (wanted | EV_ERR | EV_HUP)))
        return 0;
    u64 epoll = (u64)READ(item, ep);
    if (!may_have_row(crowd_of_epoll(epoll)))
        return 0;
    struct posting p = {};
    p.time = bpf_ktime_get_ns();
    p.tgid = current_ids() >> 32; /* a pipe's writer; for sockets whoever was interrupted */
    p.kind = POSTING_READY;
    p.epoll = epoll;
    p.file = (u64)READ(item, ffd.file);
    p.fd = READ(item, ffd.fd);
    ledger_ready(NULL, &p);
    record_ready(&p);
    return 0;
}

SEC("fentry/ep_poll_callback")
int BPF_PROG(on_ep_poll_callback, struct wait_queue_entry* entry, unsigned int mode, int sync, void* key)
{
    return called_back(entry, (u32)(u64)key);
}

/* Second choice where trampolines are refused and kprobes are not; skipped runs are counted by the kernel
 * (nmissed), not here. */
SEC("kprobe/ep_poll_callback")
int BPF_KPROBE(on_ep_poll_callback_kprobe)
{
    return called_back((void*)probe_argument0(ctx), (u32)probe_argument3(ctx));
}
