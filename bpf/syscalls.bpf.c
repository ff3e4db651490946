// SPDX-License-Identifier: GPL-2.0
/*
 * The system call boundary, hook set `tracepoint`.
 *
 * Why raw_syscalls (through tp_btf): it exists wherever BPF does, needs neither tracefs nor ftrace, and
 * at sys_exit all arguments are still in the registers, so one program per call is enough. sys_enter is
 * needed only for what must be seen before it happens: a thread going to sleep, a descriptor going away,
 * a write that makes an eventfd or a pipe readable.
 *
 * What it cannot see: io_uring operations (progress made by them is still read from kernel state), and
 * 32-bit calls (counted in STAT_COMPAT_CALLS). Other programs' calls cost one table look-up, those that
 * interest us one hash look-up more.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "arch.h"
#include "state.h"
#include "tables.h"
#include "item.h"
#include "ledger.h"
#include "readiness.h"

/* A call in progress. Too large for the stack; one per CPU and program, which no other instance of the
 * same program can interrupt (bpf_trace_run guards with prog->active, and it runs without preemption). */
struct call {
    struct posting posting;
    struct registration_key key;
    struct ledger_batch batch;
    u64 argument[5];
    u64 events; /* user address of the returned array */
    u32 slot;   /* event of it */
    u32 pad;
};

struct call_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2);
    __type(key, u32);
    __type(value, struct call);
};
struct call_table calls SEC(".maps");

enum { CALLS_EXIT = 0, CALLS_ENTER = 1 };

static __always_inline struct task_struct *current_task(void)
{
    return (struct task_struct *)bpf_get_current_task();
}

static __always_inline struct call *begin_call(u32 which, struct pt_regs *regs, u64 ids, s64 result)
{
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return NULL;
    __builtin_memset(&c->posting, 0, sizeof(c->posting));
    c->posting.time = bpf_ktime_get_ns();
    c->posting.tgid = ids >> 32;
    c->posting.tid = (u32)ids;
    c->posting.result = result;
    c->argument[0] = call_argument0(regs);
    c->argument[1] = call_argument1(regs);
    c->argument[2] = call_argument2(regs);
    c->argument[3] = call_argument3(regs);
    c->argument[4] = call_argument4(regs);
    return c;
}

static __always_inline void seen(u8 kind)
{
    books_stat(NULL, STAT_POSTINGS);
    books_stat(NULL, STAT_CALLS + kind);
}

/* The class of this call if a watched process makes it, else CALL_NONE. */
static __always_inline u8 class_of(struct pt_regs *regs, u64 ids)
{
    s64 number = call_number(regs); /* -1 in the exit of rt_sigreturn: registers of the interrupted call */
    if ((u64)number >= CALL_TABLE)
        return CALL_NONE;
    u8 class = call_classes[number];
    if (!class || !watched(ids >> 32))
        return CALL_NONE;
    if (is_compat(current_task())) {
        books_stat(NULL, STAT_COMPAT_CALLS);
        return CALL_NONE;
    }
    return class;
}

/* --- files ---------------------------------------------------------------------------------------- */

static __always_inline struct file_row *row_of_fd(struct call *c, u32 fd)
{
    struct file *file = file_of_fd(current_task(), fd);
    if (!file)
        return NULL;
    c->posting.file = (u64)file;
    c->posting.fd = (s32)fd;
    return books_file(NULL, (u64)file);
}

static __always_inline void with_input(struct call *c, const struct file_row *f)
{
    c->posting.file_kind = f->kind;
    c->posting.flags |= POSTING_STATE;
    read_input(&c->posting.state, (struct file *)c->posting.file, f->kind);
}

static __noinline void post_read(struct call *c, u32 fd)
{
    c->posting.kind = POSTING_READ;
    struct file_row *f = row_of_fd(c, fd);
    if (!f)
        return;
    with_input(c, f);
    if (f->kind == FILE_LISTENER)
        return;
    ledger_read(NULL, f, &c->posting);
}

static __noinline void post_peek(struct call *c, u8 kind, u32 fd)
{
    c->posting.kind = kind;
    struct file_row *f = row_of_fd(c, fd);
    if (!f)
        return;
    if (kind == POSTING_PEEK)
        ledger_peek(NULL, f, &c->posting);
    else
        ledger_cleared(NULL, f, &c->posting);
}

static __noinline void post_write(struct call *c, u32 fd)
{
    c->posting.kind = POSTING_WRITE;
    struct file_row *f = row_of_fd(c, fd);
    if (!c->posting.file)
        return;
    if (f || reaches_others((struct file *)c->posting.file))
        ledger_wrote(NULL, &c->posting);
    if (!f)
        return;
    c->posting.file_kind = f->kind;
    if (c->posting.result > 0 && !c->posting.amount) {
        c->posting.flags |= POSTING_STATE;
        read_output(&c->posting.state, (struct file *)c->posting.file, f->kind);
        if (f->kind != FILE_TCP && f->kind != FILE_UNIX)
            c->posting.state.flags |= STATE_WRITABLE;
    }
    ledger_write(NULL, f, &c->posting);
}

static __noinline void post_accept(struct call *c)
{
    c->posting.kind = POSTING_ACCEPT;
    struct file_row *f = row_of_fd(c, (u32)c->argument[0]);
    if (!f)
        return;
    f->kind = FILE_LISTENER; /* it may have been registered before listen() */
    with_input(c, f);
    ledger_accept(NULL, f, &c->posting);
}

static __noinline void post_other(struct call *c, u8 class)
{
    struct file_row *f = row_of_fd(c, (u32)c->argument[0]);
    if (!f)
        return;
    if (class == CALL_CONNECT) {
        c->posting.kind = POSTING_CONNECT;
        ledger_connect(NULL, f, &c->posting);
    } else if (class == CALL_SHUTDOWN) {
        c->posting.kind = POSTING_SHUTDOWN;
        c->posting.amount = (s64)c->argument[1];
        ledger_shutdown(NULL, &c->posting);
    } else if (class == CALL_SETTIME) {
        c->posting.kind = POSTING_SETTIME;
        ledger_cleared(NULL, f, &c->posting);
    } else if (class == CALL_FCNTL) {
        struct file *file = (void *)c->posting.file;
        c->posting.kind = POSTING_FCNTL;
        if (BPF_CORE_READ(file, f_flags) & O_NONBLOCK_BIT)
            c->posting.flags |= POSTING_NONBLOCK;
        ledger_fcntl(NULL, &c->posting);
    }
}

/* --- the interest list ---------------------------------------------------------------------------- */

static __always_inline void describe_file(struct call *c, struct file *file)
{
    struct posting *p = &c->posting;
    p->file = (u64)file;
    p->file_kind = kind_of_file(file);
    p->ino = BPF_CORE_READ(file, f_inode, i_ino);
    if (BPF_CORE_READ(file, f_flags) & O_NONBLOCK_BIT)
        p->flags |= POSTING_NONBLOCK;
}

static __noinline void post_ctl(struct call *c)
{
    struct posting *p = &c->posting;
    u64 operation = c->argument[1];
    p->epfd = (s32)c->argument[0];
    p->fd = (s32)c->argument[2];
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    struct file *file = file_of_fd(current_task(), (u32)p->fd);
    if (!p->epoll || !file) /* EBADF: there is no file to post it to */
        return;
    describe_file(c, file);
    if (operation != 2) {
        if (bpf_probe_read_user(&p->mask, sizeof(p->mask), (void *)c->argument[3]) ||
            bpf_probe_read_user(&p->data, sizeof(p->data), (void *)(c->argument[3] + EPOLL_EVENT_DATA)))
            return; /* EFAULT: nothing happened */
    }
    if (operation == 1) {
        p->kind = POSTING_ADD;
        ledger_add(NULL, p);
        remember_item(p);
    } else if (operation == 3) {
        p->kind = POSTING_MOD;
        ledger_mod(NULL, p);
    } else if (operation == 2) {
        p->kind = POSTING_DEL;
        ledger_del(NULL, p);
    }
}

static __noinline void post_create(struct call *c)
{
    struct posting *p = &c->posting;
    p->kind = POSTING_CREATE;
    if (p->result < 0)
        return;
    p->epfd = (s32)p->result;
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    if (p->epoll) /* the address may have belonged to an instance that is gone */
        bpf_map_delete_elem(&epoll_rows, &p->epoll);
    if (p->epoll)
        ledger_open_epoll(NULL, p);
}

/* --- waiting and delivery ------------------------------------------------------------------------- */

/*
 * Global functions are verified once, not once per iteration: that is what lets a 5.10 verifier accept a
 * loop over thousands of events. They may take only scalars there, so the call lies in its map.
 */
static __always_inline bool read_event(struct call *c, u32 slot, u32 *events, u64 *data)
{
    u64 at = c->events + (u64)slot * EPOLL_EVENT_SIZE;
    if (bpf_probe_read_user(events, sizeof(*events), (void *)at) ||
        bpf_probe_read_user(data, sizeof(*data), (void *)(at + EPOLL_EVENT_DATA))) {
        books_stat(NULL, STAT_EVENTS_UNREAD);
        return false;
    }
    return true;
}

__noinline int deliver_event(u32 slot)
{
    u32 which = CALLS_EXIT;
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    if (!c || !read_event(c, slot, &c->posting.mask, &c->posting.data))
        return 0;
    struct epoll_row *e = books_epoll(NULL, c->posting.epoll);
    if (!e)
        return 0;
    if (!ledger_index_find(NULL, c->posting.epoll, c->posting.data, &c->key)) {
        c->batch.useful = 1; /* unknown: give it the benefit of the doubt */
        ledger_count(&e->unattributed, 1);
        books_stat(NULL, STAT_UNATTRIBUTED);
        return 0;
    }
    c->posting.file = c->key.file;
    c->posting.fd = c->key.fd;
    struct file_row *f = books_file(NULL, c->key.file);
    if (f) {
        __builtin_memset(&c->posting.state, 0, sizeof(c->posting.state));
        c->posting.file_kind = f->kind;
        c->posting.flags |= POSTING_STATE;
        read_token(&c->posting.state, (struct file *)c->key.file, f->kind);
    }
    ledger_deliver(NULL, &c->posting, e, &c->key, &c->batch);
    return 0;
}

__noinline int settle_event(u32 slot)
{
    u32 which = CALLS_EXIT;
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    u32 events;
    u64 data;
    if (!c || !read_event(c, slot, &events, &data))
        return 0;
    if (!ledger_index_find(NULL, c->posting.epoll, data, &c->key))
        return 0;
    ledger_settle(NULL, &c->posting, &c->key, &c->batch);
    return 0;
}

static __noinline void post_events(struct call *c)
{
    u32 count = (u32)c->posting.result;
    c->events = c->argument[1];
    c->posting.kind = POSTING_DELIVERED;
    if (count == 1)
        c->posting.flags |= POSTING_SOLE;
    if (count > EVENTS_PER_RETURN)
        books_stat(NULL, STAT_EVENTS_BEYOND);
    for (u32 i = 0; i < EVENTS_PER_RETURN; i++) {
        if (i >= count)
            break;
        deliver_event(i);
    }
}

static __noinline void settle_events(struct call *c)
{
    u32 count = (u32)c->posting.result;
    c->posting.cpu = BPF_CORE_READ(current_task(), se.sum_exec_runtime);
    if (!c->batch.useful)
        facts.suspicious += 1;
    for (u32 i = 0; i < EVENTS_PER_RETURN; i++) {
        if (i >= count)
            break;
        settle_event(i);
    }
}

static __always_inline u64 waited_epoll(struct call *c)
{
    struct thread_row *t = books_thread(NULL, c->posting.tid);
    if (t && t->waiting)
        return t->epoll;
    return epoll_of_fd(current_task(), (u32)c->argument[0]);
}

static __always_inline void post_return(struct call *c)
{
    struct posting *p = &c->posting;
    p->epfd = (s32)c->argument[0];
    p->epoll = waited_epoll(c);
    if (!p->epoll)
        return;
    c->batch.useful = 0;
    c->batch.idle = 0;
    if (p->result > 0) {
        if (!ledger_open_epoll(NULL, p))
            return;
        post_events(c);
        if (c->batch.idle)
            settle_events(c);
    }
    p->kind = POSTING_RETURN;
    p->amount = (s32)c->argument[2]; /* maxevents */
    ledger_return(NULL, p, &c->batch);
}

static __always_inline void post_wait(struct call *c, u8 class)
{
    struct posting *p = &c->posting;
    p->kind = POSTING_WAIT;
    p->epfd = (s32)c->argument[0];
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    if (!p->epoll)
        return;
    p->amount = (s32)c->argument[3];
    if (class == CALL_EPOLL_PWAIT2) {
        u64 when[2] = {};
        p->amount = -1;
        if (c->argument[3] && !bpf_probe_read_user(when, sizeof(when), (void *)c->argument[3]))
            p->amount = (s64)(when[0] * 1000 + when[1] / 1000000);
        if (p->amount > 0x7fffffff)
            p->amount = 0x7fffffff;
    }
    ledger_wait(NULL, p);
}

/* --- dispatch ------------------------------------------------------------------------------------- */

static __always_inline void post_receive(struct call *c, u64 flags)
{
    u32 fd = (u32)c->argument[0];
    if (flags & MSG_ERRQUEUE_BIT)
        post_peek(c, POSTING_ERRQUEUE, fd);
    else if (flags & MSG_PEEK_BIT)
        post_peek(c, POSTING_PEEK, fd);
    else
        post_read(c, fd);
}

#define FIONREAD 0x541B
#define FIONBIO 0x5421
#define SOL_SOCKET 1
#define SO_ERROR 4
#define FUTEX_CMD_MASK 127
#define FUTEX_WAKE 1
#define FUTEX_WAKE_OP 5
#define FUTEX_WAKE_BITSET 10

static __always_inline void post_ioctl(struct call *c)
{
    u32 request = (u32)c->argument[1];
    if (request == FIONBIO) {
        post_other(c, CALL_FCNTL);
    } else if (request == FIONREAD && !c->posting.result) {
        s32 bytes = 0;
        if (!bpf_probe_read_user(&bytes, sizeof(bytes), (void *)c->argument[2]))
            c->posting.result = bytes;
        post_peek(c, POSTING_PEEK, (u32)c->argument[0]);
    }
}

static __always_inline void post_getsockopt(struct call *c)
{
    s32 error = 0;
    if (c->argument[1] != SOL_SOCKET || c->argument[2] != SO_ERROR || c->posting.result)
        return;
    if (!bpf_probe_read_user(&error, sizeof(error), (void *)c->argument[3]) && error)
        post_peek(c, POSTING_SO_ERROR, (u32)c->argument[0]);
}

static __always_inline void post_futex(struct call *c)
{
    u32 command = (u32)c->argument[1] & FUTEX_CMD_MASK;
    c->posting.kind = POSTING_HANDOFF;
    if (command == FUTEX_WAKE || command == FUTEX_WAKE_OP || command == FUTEX_WAKE_BITSET)
        ledger_handoff(NULL, &c->posting);
}

static __always_inline void post_io(struct call *c, u8 class)
{
    switch (class) {
    case CALL_READ:
        c->posting.amount = (s64)c->argument[2];
        post_read(c, (u32)c->argument[0]);
        break;
    case CALL_READV:
        c->posting.amount = -1; /* some: a result of 0 means the end */
        post_read(c, (u32)c->argument[0]);
        break;
    case CALL_RECVFROM:
        c->posting.amount = (s64)c->argument[2];
        post_receive(c, c->argument[3]);
        break;
    case CALL_RECVMSG:
        c->posting.amount = -1;
        post_receive(c, c->argument[2]);
        break;
    case CALL_RECVMMSG:
        c->posting.amount = -1;
        post_receive(c, c->argument[3]);
        break;
    case CALL_WRITE:
    case CALL_SENDTO:
        c->posting.amount = (s64)c->argument[2];
        post_write(c, (u32)c->argument[0]);
        break;
    case CALL_WRITEV:
    case CALL_SENDMSG:
    case CALL_SENDMMSG:
        post_write(c, (u32)c->argument[0]);
        break;
    }
}

/* One call that moves data between two files: both sides are posted. */
static __always_inline void post_transfer(struct call *c, u8 class)
{
    u32 out = class == CALL_SENDFILE ? (u32)c->argument[0]
              : class == CALL_TEE    ? (u32)c->argument[1]
                                     : (u32)c->argument[2];
    u32 in = class == CALL_SENDFILE ? (u32)c->argument[1] : (u32)c->argument[0];
    /* EAGAIN does not say which of the two ends was meant: it is evidence about neither. */
    if (c->posting.result < 0)
        return;
    if (c->posting.result > 0)
        post_write(c, out);
    if (class == CALL_TEE)
        return;
    __builtin_memset(&c->posting.state, 0, sizeof(c->posting.state));
    c->posting.flags = 0;
    c->posting.file = 0;
    c->posting.amount = -1;
    post_read(c, in);
}

static __always_inline u8 kind_of_class(u8 class)
{
    switch (class) {
    case CALL_EPOLL_CREATE: return POSTING_CREATE;
    case CALL_EPOLL_CTL: return POSTING_MOD;
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2: return POSTING_RETURN;
    case CALL_READ:
    case CALL_READV:
    case CALL_RECVFROM:
    case CALL_RECVMSG:
    case CALL_RECVMMSG: return POSTING_READ;
    case CALL_WRITE:
    case CALL_WRITEV:
    case CALL_SENDTO:
    case CALL_SENDMSG:
    case CALL_SENDMMSG:
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: return POSTING_WRITE;
    case CALL_ACCEPT: return POSTING_ACCEPT;
    case CALL_CONNECT: return POSTING_CONNECT;
    case CALL_SHUTDOWN: return POSTING_SHUTDOWN;
    case CALL_CLOSE:
    case CALL_CLOSE_RANGE: return POSTING_CLOSE;
    case CALL_DUP:
    case CALL_DUP2: return POSTING_DUP;
    case CALL_FCNTL: return POSTING_FCNTL;
    case CALL_SETTIME: return POSTING_SETTIME;
    case CALL_GETSOCKOPT: return POSTING_SO_ERROR;
    case CALL_IOCTL: return POSTING_PEEK;
    case CALL_FUTEX: return POSTING_HANDOFF;
    default: return POSTING_NONE;
    }
}

/*
 * Why here: the result is known, and so are the arguments and the state that the call left behind. What
 * it cannot see: a descriptor that another thread closed while this call slept; the file then found
 * under the number is not the one the call used.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
    u64 ids = bpf_get_current_pid_tgid();
    u8 class = class_of(regs, ids);
    if (!class)
        return 0;
    struct call *c = begin_call(CALLS_EXIT, regs, ids, result);
    if (!c)
        return 0;
    seen(kind_of_class(class));
    switch (class) {
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2:
        post_return(c);
        break;
    case CALL_EPOLL_CTL:
        post_ctl(c);
        break;
    case CALL_EPOLL_CREATE:
        post_create(c);
        break;
    case CALL_ACCEPT:
        post_accept(c);
        break;
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE:
        post_transfer(c, class);
        break;
    case CALL_CONNECT:
    case CALL_SHUTDOWN:
    case CALL_SETTIME:
    case CALL_FCNTL:
        post_other(c, class);
        break;
    case CALL_GETSOCKOPT:
        post_getsockopt(c);
        break;
    case CALL_IOCTL:
        post_ioctl(c);
        break;
    case CALL_FUTEX:
        post_futex(c);
        break;
    default:
        post_io(c, class);
    }
    return 0;
}

static __noinline void post_close(struct call *c, u32 fd)
{
    c->posting.kind = POSTING_CLOSE;
    struct file_row *f = row_of_fd(c, fd);
    if (!f)
        return;
    if (last_reference((struct file *)c->posting.file))
        c->posting.flags |= POSTING_LAST;
    ledger_close(NULL, &c->posting);
}

/* Why here: after the call the descriptor no longer leads to its file. close() cannot fail for a valid
 * descriptor in a way that leaves it open. */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long number)
{
    u64 ids = bpf_get_current_pid_tgid();
    u8 class = class_of(regs, ids);
    if (class != CALL_EPOLL_WAIT && class != CALL_EPOLL_PWAIT2 && class != CALL_CLOSE && class != CALL_DUP2 &&
        class != CALL_WRITE)
        return 0;
    struct call *c = begin_call(CALLS_ENTER, regs, ids, 0);
    if (!c)
        return 0;
    if (class == CALL_CLOSE)
        post_close(c, (u32)c->argument[0]);
    else if (class == CALL_DUP2 && c->argument[0] != c->argument[1])
        post_close(c, (u32)c->argument[1]);
    else if (class == CALL_WRITE)
        ready_by_write(file_of_fd(current_task(), (u32)c->argument[0]), &c->posting);
    else if (class == CALL_EPOLL_WAIT || class == CALL_EPOLL_PWAIT2)
        post_wait(c, class);
    return 0;
}
