// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Readiness, hook set `tracepoint`: what stands in for ep_poll_callback() where neither fentry nor
 * kprobes are to be had. Each program fires just before the wake-up it reports, sleeper or not. Missing
 * from this set: EPOLLOUT (there is no sk_write_space tracepoint) and the outer registration of a nested
 * epoll; the delivery itself shows both.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "blocked.h"
#include "readiness.h"

static __always_inline void begin(struct posting* p, u8 kind)
{
    u64 ids = current_ids(); /* the waker: often softirq in an unrelated task */
    p->time = bpf_ktime_get_ns();
    p->tgid = ids >> 32;
    p->tid = (u32)ids;
    p->kind = kind;
}

static __always_inline u64 file_of_sock(struct sock* sk)
{
    struct socket* socket = READ(sk, sk_socket);
    return socket ? (u64)READ(socket, file) : 0; /* not accepted yet: no file */
}

static __noinline int data_arrives(struct sock* sk, u64 file)
{
    if (!books_file(NULL, file))
        return 0;
    struct socket_wq* queue = READ(sk, sk_wq);
    if (!queue)
        return 0;
    struct posting p = {};
    begin(&p, POSTING_READY);
    ready_on_queue((void*)queue + bpf_core_field_offset(queue->wait), &p);
    return 0;
}

/* Data or a connection arrived (tracepoint since 6.3, 40e0b0908142). Sockets that nobody watches leave
 * after one load. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(on_sk_data_ready, struct sock* sk)
{
    u64 file = file_of_sock(sk);
    return file && may_have_row(crowd_of_file(file)) ? data_arrives(sk, file) : 0;
}

/* The peer's FIN: sk_state_change() wakes the poller, and the exact moment dates a leak. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_inet_sock_set_state, struct sock* sk, int old_state, int new_state)
{
    if (new_state != TCP_CLOSE_WAIT)
        return 0;
    struct posting p = {};
    p.file = file_of_sock(sk);
    if (!p.file || !may_have_row(crowd_of_file(p.file)) || !books_file(NULL, p.file))
        return 0;
    begin(&p, POSTING_PEER_CLOSED);
    ledger_peer_closed(NULL, &p);
    record(&p, RECORD_POSTING);
    struct socket_wq* queue = READ(sk, sk_wq);
    if (!queue)
        return 0;
    p.kind = POSTING_READY;
    ready_on_queue((void*)queue + bpf_core_field_offset(queue->wait), &p);
    return 0;
}

/* timerfd: its hrtimer expires. CLOCK_*_ALARM timers use struct alarm and are not seen here. */
SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(on_hrtimer_expire_entry, struct hrtimer* timer)
{
    if ((u64)READ(timer, function) != facts.timerfd_tmrproc)
        return 0;
    struct timerfd_ctx* timerfd = 0;
    timerfd = (void*)timer - bpf_core_field_offset(timerfd->t.tmr);
    struct posting p = {};
    begin(&p, POSTING_READY);
    ready_on_queue((void*)timerfd + bpf_core_field_offset(timerfd->wqh), &p);
    return 0;
}

/* signalfd: a signal is queued to a watched process. */
SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal_generate, int signal, void* info, struct task_struct* task)
{
    if (!watched(tgid_of(task)))
        return 0;
    struct sighand_struct* hand = READ(task, sighand);
    if (!hand)
        return 0;
    struct posting p = {};
    begin(&p, POSTING_READY);
    ready_on_queue((void*)hand + bpf_core_field_offset(hand->signalfd_wqh), &p);
    return 0;
}

/* epoll_ctl(ADD, MOD) of what is ready already wakes one thread of that very epoll, as asked. */
static __always_inline bool asked_by_ctl(const struct thread_row* t)
{
    if (current_ids() >> 32 != t->tgid)
        return false;
    struct pt_regs* waker = entry_registers(waker_task());
    return waker && class_of_number(probe_call_number(waker)) == CALL_EPOLL_CTL;
}

/* Is it armed for input in more than one epoll? Where ONESHOT has fired, or the mask is 0, nobody is told. */
static __always_inline bool told_to_several(struct file* file)
{
    struct item_walk w;
    struct eventpoll* first = NULL;
    walk_items(&w, file);
    for (int i = 0; i < CHAIN_MAX; i++) {
        struct epitem* item = next_item(&w);
        if (!item)
            return false;
        if (!(READ(item, event.events) & (EV_IN | EV_RDNORM)))
            continue;
        struct eventpoll* epoll = READ(item, ep);
        if (first && epoll != first)
            return true;
        first = epoll;
    }
    return true; /* there may be more */
}

static __noinline int thread_waking(struct task_struct* task)
{
    u32 tid = tid_of(task);
    struct thread_row* t = books_thread(NULL, tid);
    if (!t)
        return 0;
    t->task = (u64)task;
    bool stopped = t->waiting ? task_halted(task) : task_stopped(task);
    if (stopped || !t->waiting) {
        wakes_blocked(task, t, tid, stopped);
        return 0;
    }
    struct eventpoll* epoll = (void*)t->epoll;
    struct list_head* ready = (void*)epoll + bpf_core_field_offset(epoll->rdllist);
    struct list_head* tail = READ(ready, prev);
    struct posting p = {};
    begin(&p, POSTING_WOKEN);
    p.tid = tid;
    note_usage(&p, task);
    if (tail && tail != ready) {
        struct epitem* item = (void*)tail - bpf_core_field_offset(struct epitem, rdllink);
        p.file = (u64)READ(item, ffd.file);
    }
    struct file_row* f = p.file ? books_file(NULL, p.file) : NULL;
    if (!f || (f->kind != FILE_LISTENER && f->kind != FILE_EVENTFD && f->kind != FILE_PIPE))
        p.file = 0;
    if (p.file && (asked_by_ctl(t) || !told_to_several((struct file*)p.file)))
        p.flags = POSTING_SOLE;
    ledger_woken(NULL, &p);
    record(&p, RECORD_POSTING);
    return 0;
}

/*
 * A thread asleep in epoll_wait is woken. Why sched_waking and not sched_wakeup: it runs in the waker's
 * context, right after ep_poll_callback() put the item at the tail of the ready list, so the tail names
 * the file. Wake-ups by timeout or signal find it empty, or name an item that came earlier.
 * Only kinds that can have a herd are followed.
 */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_sched_waking, struct task_struct* task)
{
    return may_be_watched((u32)task->tgid) ? thread_waking(task)
                                           : 0; /* a plain load on every kernel: the hook's own argument */
}
