/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * User stacks as evidence: where in the program a call was made. Taken only when a row has become suspicious and
 * only once per role, and once per distinct place that calls epoll_ctl, because the call that armed a registration
 * lies in the past when its registration becomes suspicious.
 */
#pragma once

#include "python_walk.h"
#include "sites.h"

/* Places whose stack was taken. Each process has its own, and over weeks there are more of them than room: those that nobody
 * came by any more give way. */
struct site_table {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, STACK_SITES);
    __type(key, u64);
    __type(value, u64);
};
extern struct site_table sites SEC(".maps");

/* The stack of the first thread of a process begins below its arguments and its environment, which no frame reaches.
 * Where that is far off, the stack is another one, or deep. */
static __always_inline u64 last_page(u64 start)
{
    u64 pages = (READ(waker_task(), mm, start_stack) - start) / STACK_PAGE;
    return pages < STACK_PAGES ? pages : STACK_PAGES - 1;
}

/* Whole pages from the one with the stack pointer upwards; a probe read that runs past the mapping fails as a
 * whole, and so does one of a page that is not in memory. */
static __always_inline u32 copy_stack(u8* slice, u64 start)
{
    u32 bytes = 0;
    u64 last = last_page(start);
    for (u32 page = 0; page < STACK_PAGES; page++) {
        if ((page + 1) * STACK_PAGE > stack_bytes || page > last)
            break;
        if (bpf_probe_read_user(slice + page * STACK_PAGE, STACK_PAGE, (void*)(start + page * STACK_PAGE)))
            break;
        bytes += STACK_PAGE;
    }
    return bytes;
}

/* Global, for the same reason as deliver_event(). Says whether it was taken. */
__noinline int take_stack(u32 which, u32 role)
{
    u32 copy = which / (CALL_SLOTS / 2);
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    struct python_view* v = bpf_map_lookup_elem(&python_views, &copy);
    if (!stack_bytes || !c)
        return 0;
    if (facts.stacks_left <= 0)
        return 0;
    struct pt_regs* registers = user_registers();
    u64 sp = registers ? user_stack_pointer(registers) : 0;
    if (!sp) /* a kernel thread of io_uring */
        return 0;
    struct stack_record* s = bpf_ringbuf_reserve(&stacks, sizeof(*s) + stack_bytes, 0);
    if (!s) {
        books_stat(NULL, STAT_STACKS_LOST);
        return 0;
    }
    __sync_fetch_and_add(&facts.stacks_left, -1);
    s->time = bpf_ktime_get_ns();
    s->site = c->site;
    s->file = c->posting.file;
    s->epoll = c->posting.epoll;
    s->start = sp & ~(u64)(STACK_PAGE - 1);
    s->tgid = c->posting.tgid;
    s->tid = c->posting.tid;
    s->fd = c->posting.fd;
    s->role = role;
    s->pythons = v ? walk_python(v, copy, c->posting.tgid, c->posting.tid, PYTHON_FRAMES) : 0;
    if (v && s->pythons)
        bpf_probe_read_kernel(s->python, sizeof(s->python), v->frame);
    __builtin_memset(s->registers, 0, sizeof(s->registers));
    bpf_probe_read_kernel(s->registers, USER_REGISTERS * 8, registers);
    s->bytes = copy_stack(s->slice, s->start);
    bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP); /* looked for several times a second anyway */
    return 1;
}

static __always_inline void take_wanted(struct call* c, struct file_row* f, u32 role)
{
    if (!(f->stacks_wanted & role) || !take_stack(c->which, role))
        return;
    f->stacks_wanted &= ~role;
    f->stacks_taken |= role;
}

/* The call in slot `which` was wanted as evidence of this epoll. */
static __always_inline void take_of_epoll(u32 which, struct epoll_row* e, u32 role)
{
    if (!take_stack(which, role))
        return;
    e->stacks_wanted &= ~role;
    e->stacks_taken |= role;
}

static __always_inline void take_wait(struct call* c, struct epoll_row* e)
{
    if (e->stacks_wanted & STACK_WAIT)
        take_of_epoll(c->which, e, STACK_WAIT);
}

/* A wait on another epoll, by which a thread keeps its own one waiting: that one's blocked call. */
static __always_inline void take_inner_wait(struct call* c, const struct thread_row* t)
{
    u64 own = c->posting.epoll;
    struct epoll_row* e = t->outer ? books_epoll(NULL, t->outer) : NULL;
    if (!e || !(e->stacks_wanted & STACK_BLOCKED) || e->stall_call != AWAY_IN_ANOTHER_LOOP ||
        e->polled_tid != c->posting.tid)
        return;
    c->posting.epoll = t->outer;
    take_of_epoll(c->which, e, STACK_BLOCKED);
    c->posting.epoll = own;
}

/* At the moment of the deed: once per file, or per epoll. */
static __always_inline void take_refused(struct call* c)
{
    struct file_row* f = c->posting.result < 0 ? books_file(NULL, c->posting.file) : NULL;
    if (!f || f->refused_at != c->posting.time || (f->stacks_taken & STACK_REFUSED) ||
        !take_stack(c->which, STACK_REFUSED))
        return;
    f->stacks_taken |= STACK_REFUSED;
}

static __always_inline void take_deed(struct call* c, struct epoll_row* e, u32 role)
{
    if (!(e->stacks_taken & role) && take_stack(c->which, role))
        e->stacks_taken |= role;
}

/* --- of a place ------------------------------------------------------------------------------------- */

/* One stack of each place is enough. */
static __always_inline void take_stack_of_site(struct call* c, u32 role)
{
    u64 seen_at = c->posting.time;
    if (bpf_map_lookup_elem(&sites, &c->site))
        return;
    if (bpf_map_update_elem(&sites, &c->site, &seen_at, BPF_NOEXIST))
        books_stat(NULL, STAT_SITES_FULL);
    else if (!take_stack(c->which, role))
        bpf_map_delete_elem(&sites, &c->site); /* another time */
}

static __always_inline void note_site(struct call* c, struct registration_row* r)
{
    const struct posting* p = &c->posting;
    struct registration_key key = {.epoll = p->epoll, .file = p->file, .fd = p->fd, .pad = 0};
    if (!stack_bytes)
        return;
    find_site(c->which);
    if (!c->site || c->site == r->armed_site)
        return;
    r->armed_site = c->site;
    record_site(RECORD_SITE, &key, c->site);
    take_stack_of_site(c, STACK_ARMED);
}

/*
 * Input of an edge-triggered file was left behind by this read or accept. Should nobody come back for it, then this
 * was the last call of its kind, and once that is known its stack is long gone.
 */
static __noinline void note_left(struct call* c, struct file_row* f, u32 role)
{
    if (!stack_bytes || f->left_at != c->posting.time)
        return;
    struct registration_key key = {.epoll = f->home, .file = c->posting.file, .fd = f->home_fd, .pad = 0};
    struct registration_row* r = books_registration(NULL, &key);
    if (!r || !(r->mask & EV_ET))
        return;
    find_site(c->which);
    if (!c->site || c->site == r->left_site)
        return;
    r->left_site = c->site;
    record_site(RECORD_LEFT_SITE, &key, c->site);
    take_stack_of_site(c, STACK_LEFT | role);
}
