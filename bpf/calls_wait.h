/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* epoll_wait: waiting and delivery. Included by calls.h. */
#pragma once

#include "call.h"
#include "stacks.h"

static __always_inline void read_chunk(struct call* c, u32 slot)
{
    u32 left = (u32)c->posting.result - slot;
    u64 bytes = (left < EVENTS_AT_ONCE ? left : EVENTS_AT_ONCE) * EPOLL_EVENT_SIZE;
    asm volatile("" : "+r"(bytes)); /* else clang forgets the bound before the verifier sees it */
    if (bytes > sizeof(c->chunk))
        bytes = sizeof(c->chunk);
    c->chunk_unread = bpf_probe_read_user(c->chunk, bytes, (void*)(c->events + (u64)slot * EPOLL_EVENT_SIZE)) != 0;
}

static __always_inline bool read_event(struct call* c, u32 slot, u32* events, u64* data)
{
    u64 at = (slot & (EVENTS_AT_ONCE - 1)) * (EPOLL_EVENT_SIZE / 4);
    if (!at)
        read_chunk(c, slot);
    if (c->chunk_unread) {
        books_stat(NULL, STAT_EVENTS_UNREAD);
        return false;
    }
    *events = c->chunk[at];
    *data = c->chunk[at + EPOLL_EVENT_DATA / 4] | (u64)c->chunk[at + EPOLL_EVENT_DATA / 4 + 1] << 32;
    return true;
}

/* How many items of the ready list are passed in search of one, for one event. */
#define READY_STEPS 32

/*
 * Where on the ready list are the events of this return? ep_send_events() puts level-triggered items back at its end, in
 * the order of the events; before them stands what did not fit into the batch.
 */
static __always_inline struct list_head* first_delivered(struct list_head* head, u32 count)
{
    struct list_head* at = head;
    if (count > EVENTS_AT_ONCE)
        return READ(head, next);
    for (u32 i = 0; i < EVENTS_AT_ONCE && i < count; i++) {
        struct list_head* before = READ(at, prev);
        if (!before || before == head)
            break;
        at = before;
    }
    return at == head ? READ(head, next) : at;
}

/* A registration that the books do not have, made before we looked or where no hook sees it (io_uring): as the seed. */
static __always_inline void adopt(struct call* c, struct epitem* item)
{
    struct posting* p = &c->posting;
    struct file* file = (struct file*)c->key.file;
    u32 mask = p->mask;
    s32 epfd = p->epfd;
    u8 flags = p->flags;
    p->kind = POSTING_SEEDED;
    p->epfd = -1;
    p->file = c->key.file;
    p->fd = c->key.fd;
    p->flags = 0;
    describe_file(c, file);
    p->mask = READ(item, event.events) & ~(EV_ERR | EV_HUP);
    book_add(c->which);
    struct registration_row* r = books_registration(NULL, &c->key);
    if (r)
        r->item = (u64)item;
    p->kind = POSTING_DELIVERED;
    p->epfd = epfd;
    p->flags = flags;
    p->mask = mask;
    p->ino = 0;
}

/*
 * Whose is an event of which the data does not tell, because several share it or because the books have none? The
 * ready list knows, for what is level-triggered. Edges are not found there; they are news by themselves.
 * Global, for the same reason as deliver_event().
 */
__noinline int place_event(u32 which)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    if (!c)
        return 0;
    struct eventpoll* ep = (void*)c->posting.epoll;
    struct list_head* head = (void*)ep + bpf_core_field_offset(ep->rdllist);
    struct list_head* at = (void*)c->ready_at;
    if (!at)
        at = first_delivered(head, (u32)c->posting.result);
    for (u32 i = 0; i < READY_STEPS; i++) {
        if (!at || at == head)
            break;
        struct epitem* item = (void*)at - bpf_core_field_offset(struct epitem, rdllink);
        at = READ(at, next);
        if (READ(item, event.data) != c->place_data || (u64)READ(item, ep) != c->posting.epoll)
            continue;
        c->ready_at = (u64)at;
        c->key.epoll = c->posting.epoll;
        c->key.file = (u64)READ(item, ffd.file);
        c->key.fd = READ(item, ffd.fd);
        c->key.pad = 0;
        if (books_registration(NULL, &c->key)) /* with this data, or the MOD that says so is about to be booked */
            return 1;
        if (!facts.seeded)
            return 0;
        adopt(c, item);
        return 1;
    }
    c->ready_at = (u64)head;
    return 0;
}

static __always_inline bool find_registration(struct call* c, u64 data)
{
    if (ledger_index_find(NULL, c->posting.epoll, data, &c->key))
        return true;
    c->place_data = data;
    return place_event(c->which);
}

enum taken { EVENT_UNREAD, EVENT_UNPLACED, EVENT_PLACED };

/* Reads an event into the posting and finds its registration, c->key. Not within deliver_to(): the stack that that needs
 * and that of place_event() together are more than there is. */
static __always_inline u32 take_event(struct call* c, u32 slot)
{
    if (!read_event(c, slot, &c->posting.mask, &c->posting.data))
        return EVENT_UNREAD;
    return find_registration(c, c->posting.data) ? EVENT_PLACED : EVENT_UNPLACED;
}

static __noinline int deliver_to(struct call* c, struct epoll_row* e, u32 taken)
{
    if (taken == EVENT_UNREAD)
        return 0;
    if (taken == EVENT_UNPLACED) {
        c->posting.file = 0;
        ledger_unplaced(NULL, &c->posting, e, &c->batch);
        record(&c->posting, RECORD_POSTING);
        return 0;
    }
    c->posting.file = c->key.file;
    c->posting.fd = c->key.fd;
    struct file_row* f = books_file(NULL, c->key.file);
    if (f) {
        __builtin_memset(&c->posting.state, 0, sizeof(c->posting.state));
        c->posting.file_kind = f->kind;
        c->posting.flags |= POSTING_STATE;
        read_token(&c->posting.state, (struct file*)c->key.file, f->kind);
    }
    ledger_deliver(NULL, &c->posting, e, f, &c->key, &c->batch);
    record(&c->posting, RECORD_POSTING);
    return 0;
}

/*
 * Global functions are verified once, not once per iteration: that is what lets a 5.10 verifier accept a
 * loop over thousands of events. They may take only scalars there, so the call lies in its map. The loop is two,
 * one in the other, because it is walked through step by step all the same: 64 + 64 steps, not 4096.
 */
#define STRETCH 64
_Static_assert(EVENTS_PER_RETURN % STRETCH == 0, "stretches are whole");

__noinline int deliver_event(u32 which, u32 slot)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    struct epoll_row* e = c ? books_epoll(NULL, c->posting.epoll) : NULL;
    return e ? deliver_to(c, e, take_event(c, slot)) : 0;
}

__noinline int deliver_stretch(u32 which, u32 first)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    for (u32 i = 0; c && i < STRETCH; i++) {
        if (first + i >= (u32)c->posting.result)
            break;
        if (first + i) /* that one has been */
            deliver_event(which, first + i);
    }
    return 0;
}

__noinline int settle_event(u32 which, u32 slot)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    u32 events;
    u64 data;
    if (!c || !read_event(c, slot, &events, &data))
        return 0;
    if (!find_registration(c, data))
        return 0;
    ledger_settle(NULL, &c->posting, &c->key, &c->batch);
    return 0;
}

__noinline int settle_stretch(u32 which, u32 first)
{
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    for (u32 i = 0; c && i < STRETCH; i++) {
        if (first + i >= (u32)c->posting.result)
            break;
        settle_event(which, first + i);
    }
    return 0;
}

static __always_inline void post_events(struct call* c, struct epoll_row* e)
{
    u32 count = (u32)c->posting.result;
    c->events = c->argument[1];
    c->ready_at = 0;
    c->posting.kind = POSTING_DELIVERED;
    if (count == 1)
        c->posting.flags |= POSTING_SOLE;
    if (count > EVENTS_PER_RETURN)
        books_stat(NULL, STAT_EVENTS_BEYOND);
    deliver_to(c, e, take_event(c, 0)); /* mostly the only one */
    for (u32 first = 0; count > 1 && first < EVENTS_PER_RETURN; first += STRETCH) {
        if (first >= count)
            break;
        deliver_stretch(c->which, first);
    }
}

static __always_inline void settle_events(struct call* c)
{
    u32 count = (u32)c->posting.result;
    c->ready_at = 0;
    c->posting.cpu = READ(current_task(), se.sum_exec_runtime);
    if (!c->batch.useful)
        facts.suspicious += 1;
    for (u32 first = 0; first < EVENTS_PER_RETURN; first += STRETCH) {
        if (first >= count)
            break;
        settle_stretch(c->which, first);
    }
}

/* How many items are ready: is a batch of `limit` / LEDGER_CROWD too small for what there is? */
static __noinline u64 count_ready(u64 epoll, u32 limit)
{
    struct eventpoll* ep = (void*)epoll;
    struct list_head* head = (void*)ep + bpf_core_field_offset(ep->rdllist);
    struct list_head* at = READ(head, next);
    u64 found = 0;
    for (u32 i = 0; i < LEDGER_SMALL_BATCH * LEDGER_CROWD; i++) {
        if (!at || at == head || i >= limit)
            break;
        at = READ(at, next);
        found += 1;
    }
    return found;
}

static __always_inline void post_return(struct call* c)
{
    struct posting* p = &c->posting;
    stamp(c);
    p->epfd = (s32)c->argument[0];
    struct thread_row* t = ledger_open_thread(NULL, p);
    if (!t)
        return;
    p->epoll = t->waiting ? t->epoll : epoll_of_fd(current_task(), (u32)c->argument[0]);
    struct epoll_row* e = p->epoll ? ledger_open_epoll(NULL, p) : NULL;
    if (!e)
        return;
    take_wait(c, e);
    take_inner_wait(c, t);
    ledger_begin_batch(&c->batch, t);
    if (p->result > 0) {
        post_events(c, e);
        if (c->batch.idle)
            settle_events(c);
    }
    p->kind = POSTING_RETURN;
    p->flags = 0;                    /* those of the last event */
    p->amount = (s32)c->argument[2]; /* maxevents */
    p->data = 0;
    if (!p->result)
        p->cpu = READ(current_task(), se.sum_exec_runtime);
    else if (p->result == p->amount && p->result <= LEDGER_SMALL_BATCH && e->full_batches % LEDGER_LOOK_EVERY == 0)
        p->data = count_ready(p->epoll, (u32)p->amount * LEDGER_CROWD);
    ledger_return(NULL, p, e, t, &c->batch);
    record(p, RECORD_POSTING);
}

static __always_inline void post_wait(struct call* c, u8 class)
{
    struct posting* p = &c->posting;
    stamp(c);
    p->kind = POSTING_WAIT;
    p->epfd = (s32)c->argument[0];
    p->epoll = epoll_of_fd(current_task(), (u32)p->epfd);
    if (!p->epoll)
        return;
    p->amount = (s32)c->argument[3];
    if (class == CALL_EPOLL_PWAIT2) {
        u64 when[2] = {};
        p->amount = -1;
        if (c->argument[3] && !bpf_probe_read_user(when, sizeof(when), (void*)c->argument[3]))
            p->amount = (s64)(when[0] * 1000 + when[1] / 1000000);
        if (p->amount > 0x7fffffff)
            p->amount = 0x7fffffff;
    }
    ledger_wait(NULL, p);
    record(p, RECORD_POSTING);
}
