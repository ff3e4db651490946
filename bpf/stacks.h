/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * User stacks as evidence: where in the program a call was made. Taken only when a row has become suspicious and
 * only once per role, and once per distinct place that calls epoll_ctl, because the call that armed a registration
 * lies in the past when its registration becomes suspicious.
 */
#pragma once

#include "blocked.h"
#include "call.h"

struct stack_table {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
};
extern struct stack_table stacks SEC(".maps");

/* Places whose stack was taken. Each process has its own, and over weeks there are more of them than room: those that nobody
 * came by any more give way. */
struct site_table {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, STACK_SITES);
    __type(key, u64);
    __type(value, u64);
};
extern struct site_table sites SEC(".maps");

extern const volatile u32 stack_bytes; /* of a slice, a multiple of STACK_PAGE; 0: no stacks */

static __always_inline struct pt_regs *user_registers(void)
{
    return entry_registers(waker_task());
}

/* Whole pages from the one with the stack pointer upwards; a probe read that runs past the mapping fails as a
 * whole, and so does one of a page that is not in memory. */
static __always_inline u32 copy_stack(u8 *slice, u64 start)
{
    u32 bytes = 0;
    for (u32 page = 0; page < STACK_PAGES; page++) {
        if ((page + 1) * STACK_PAGE > stack_bytes)
            break;
        if (bpf_probe_read_user(slice + page * STACK_PAGE, STACK_PAGE, (void *)(start + page * STACK_PAGE)))
            break;
        bytes += STACK_PAGE;
    }
    return bytes;
}

/* Global, for the same reason as deliver_event(). Says whether it was taken. */
__noinline int take_stack(u32 which, u32 role)
{
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    if (!stack_bytes || !c)
        return 0;
    if (facts.stacks_left <= 0)
        return 0;
    struct pt_regs *registers = user_registers();
    u64 sp = registers ? user_stack_pointer(registers) : 0;
    if (!sp) /* a kernel thread of io_uring */
        return 0;
    struct stack_record *s = bpf_ringbuf_reserve(&stacks, sizeof(*s) + stack_bytes, 0);
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
    s->pad = 0;
    __builtin_memset(s->registers, 0, sizeof(s->registers));
    bpf_probe_read_kernel(s->registers, USER_REGISTERS * 8, registers);
    s->bytes = copy_stack(s->slice, s->start);
    bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP); /* looked for several times a second anyway */
    return 1;
}

static __always_inline void take_wanted(struct call *c, struct file_row *f, u32 role)
{
    if (!(f->stacks_wanted & role) || !take_stack(c->which, role))
        return;
    f->stacks_wanted &= ~role;
    f->stacks_taken |= role;
}

static __always_inline void take_wait(struct call *c, struct epoll_row *e)
{
    if (!(e->stacks_wanted & STACK_WAIT) || !take_stack(c->which, STACK_WAIT))
        return;
    e->stacks_wanted &= ~STACK_WAIT;
    e->stacks_taken |= STACK_WAIT;
}

/* At the moment of the deed: once per file, or per epoll. */
static __always_inline void take_refused(struct call *c)
{
    struct file_row *f = c->posting.result < 0 ? books_file(NULL, c->posting.file) : NULL;
    if (!f || f->refused_at != c->posting.time || (f->stacks_taken & STACK_REFUSED) || !take_stack(c->which, STACK_REFUSED))
        return;
    f->stacks_taken |= STACK_REFUSED;
}

static __always_inline void take_deed(struct call *c, struct epoll_row *e, u32 role)
{
    if (!(e->stacks_taken & role) && take_stack(c->which, role))
        e->stacks_taken |= role;
}

/* --- which place ------------------------------------------------------------------------------------ */

#define SITE_WORDS 96  /* of the stack, from its pointer upwards */
#define SITE_CALLERS 8 /* return addresses among them that count */
#define SITE_LOOKS 64  /* words of which it takes a look at the code to know */
#define SITE_FRAMES 32
#define FRAMES_WITHIN (1 << 20) /* of the stack pointer, bytes */
#define SITE_MEMO 512  /* words whose code was looked at, a power of two */

#define KNOWN_SITES 32 /* places that are remembered, a power of two, */
#define KNOWN_WAYS 4   /* so many of one key */
#define SITE_KEPT 24   /* words of which one is known again */
#define SITE_ROOM 256  /* words of the stack among which they are: what a u8 tells apart */

/*
 * A place that was found once, so that it is known again without a look at anything but the words that told it. With frame
 * pointers these are the whole chain. Without, they are the return addresses: from one instruction and stack pointer, the
 * first of them lies where it lay; it being the same, its caller's frame is as large as it was, and the next lies where it
 * lay; and so on: other callers are other words. (A function whose frame is of no fixed size keeps a frame pointer, which
 * is compared as long as nobody that it calls uses that register.) Whatever else is on the stack may have changed.
 */
struct known_site {
    u64 sp; /* 0: none */
    u64 instruction; /* of the call, with what the link register tells of who called */
    u64 frame; /* the frame pointer, where it points into the stack */
    u64 mm;
    u64 callers; /* their hash */
    u32 words;   /* of the stack, up to the last of them */
    u32 kept;
    u8 at[SITE_KEPT]; /* where they stand; if there are fewer, the first of them again */
    u64 word[SITE_KEPT];
};

/* Counters lie here, in memory that a verifier knows nothing of: in registers each value of theirs would be a state of
 * its own for each word. */
struct site_view {
    u64 sp;
    u64 text_start; /* the program's own code */
    u64 text_end;
    volatile u32 looks_left;
    volatile u32 found;
    volatile u32 kept; /* in `now`; more than there is room for: it is not to be remembered */
    u32 next_way;      /* whose turn it is to be forgotten */
    u64 hash;
    u64 word[SITE_ROOM];
    u64 tgid;
    u64 memo[SITE_MEMO]; /* of a word and its process, the last bit: does a call stand before it? */
    struct known_site now;
    struct known_site known[KNOWN_SITES];
};

/* One for each of the programs that may be in an epoll_ctl on one CPU: first, twin, third (twins.h). */
struct site_view_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 3);
    __type(key, u32);
    __type(value, struct site_view);
};
extern struct site_view_table site_views SEC(".maps");

static __always_inline u64 mix(u64 hash, u64 value)
{
    hash = (hash ^ value) * 0xff51afd7ed558ccdULL;
    return hash ^ hash >> 32;
}

/*
 * The same words are on the stack again and again, and of those that lead nowhere a look costs a page fault. What a word
 * leads to may change: then one place looks like two. (And a caller in a library whose code was not in memory when it was
 * looked at, which takes that the kernel reclaimed a page of a function that has not returned, is missed until this is
 * forgotten.) A look that is remembered counts as one, so that what is looked at does not depend on what was before.
 * Global: verified once.
 */
__noinline int call_before(u32 copy, u64 word)
{
    struct site_view *v = bpf_map_lookup_elem(&site_views, &copy);
    if (!v)
        return 0;
    u64 code, tag = mix(word, v->tgid) & ~1ULL;
    u64 *known = &v->memo[tag >> 32 & (SITE_MEMO - 1)];
    if ((*known & ~1ULL) != tag)
        *known = tag | (!bpf_probe_read_user(&code, sizeof(code), (void *)(word - sizeof(code))) && ends_in_call(code));
    return *known & 1;
}

/* Is this word a return address? Of the program's own code for sure enough, elsewhere when a call stands before it. */
static __always_inline bool returns_to(struct site_view *v, u32 copy, u64 word)
{
    if (word >= v->text_start && word < v->text_end)
        return true;
    if (word < 0x100000000ULL || word >> 47 || word - v->sp < (1 << 20) || !v->looks_left)
        return false;
    v->looks_left -= 1;
    return call_before(copy, word);
}

static __always_inline void keep_word(struct site_view *v, u64 at, u64 word)
{
    u64 nth = v->kept;
    asm volatile("" : "+r"(nth)); /* else clang forgets the bound before the verifier sees it */
    if (nth >= SITE_KEPT || at >= SITE_ROOM - 1) {
        v->kept = SITE_KEPT + 1;
        return;
    }
    v->kept = nth + 1;
    v->now.at[nth] = at;
    v->now.word[nth] = word;
    if (v->now.words <= at)
        v->now.words = at + 1;
}

/* The callers by their frame pointers, where there are such (all of Go). 0: there are none. */
static __always_inline u64 hash_frames(struct site_view *v, u32 copy, u64 hash, u64 frame)
{
    u64 least = v->sp;
    v->found = 0;
    for (u32 i = 0; i < SITE_FRAMES; i++) {
        u64 pair[2];
        if (frame < least || frame - v->sp > FRAMES_WITHIN || frame % 8)
            break;
        if (bpf_probe_read_user(pair, sizeof(pair), (void *)frame)) {
            v->kept = SITE_KEPT + 1; /* another time, something may be there */
            break;
        }
        keep_word(v, (frame - v->sp) / 8, pair[0]);
        keep_word(v, (frame - v->sp) / 8 + 1, pair[1]);
        if (!returns_to(v, copy, pair[1]))
            break;
        hash = mix(hash, pair[1]);
        v->found += 1;
        least = frame + sizeof(pair);
        frame = pair[0];
    }
    return v->found >= 2 ? hash : 0;
}

/* A stretch of the loop below. Global: verified once, not once per stretch. Is it enough? */
#define SITE_STRETCH 16
_Static_assert(SITE_WORDS % SITE_STRETCH == 0, "stretches are whole");
__noinline int hash_stretch(u32 copy, u32 first, u32 words)
{
    struct site_view *v = bpf_map_lookup_elem(&site_views, &copy);
    u64 at = first;
    asm volatile("" : "+r"(at)); /* else clang forgets the bound before the verifier sees it */
    if (!v || at > SITE_WORDS - SITE_STRETCH)
        return 1;
    for (u32 i = 0; i < SITE_STRETCH; i++) {
        if (first + i >= words || v->found >= SITE_CALLERS)
            return 1;
        u64 word = v->word[at + i];
        if (!returns_to(v, copy, word))
            continue;
        v->hash = mix(v->hash, word);
        keep_word(v, at + i, word);
        v->found += 1;
    }
    return 0;
}

/* The callers by what looks like a return address on the stack. Left-overs of earlier calls are among them: they make
 * one place look like several, and never several like one. */
static __always_inline u64 hash_words(struct site_view *v, u32 copy, u64 hash, u32 words)
{
    v->found = 0;
    v->kept = 0;
    v->now.words = 0;
    v->hash = hash;
    for (u32 first = 0; first < SITE_WORDS; first += SITE_STRETCH)
        if (hash_stretch(copy, first, words))
            break;
    return v->hash;
}

/* Of the places with this key, the nth. */
static __always_inline struct known_site *known_way(struct site_view *v, u64 way)
{
    const struct known_site *k = &v->now;
    u64 at = (mix(mix(k->sp, k->instruction), k->mm) >> 32) * KNOWN_WAYS + way % KNOWN_WAYS;
    asm volatile("" : "+r"(at)); /* else clang drops the mask below, or puts it where not every verifier sees the bound */
    return &v->known[at & (KNOWN_SITES - 1)];
}

static __always_inline bool has_key(const struct known_site *k, const struct known_site *now)
{
    return k->sp == now->sp && k->instruction == now->instruction && k->frame == now->frame && k->mm == now->mm;
}

/* Is it one that is remembered? Global: verified once. (And no loop's head right after a call: 5.10's verifier refuses that.) */
__noinline int recall_site(u32 copy)
{
    struct site_view *v = bpf_map_lookup_elem(&site_views, &copy);
    u64 words = 0;
    if (!v)
        return 0;
    for (u32 way = 0; way < KNOWN_WAYS; way++) {
        const struct known_site *k = known_way(v, way);
        if (has_key(k, &v->now) && words < k->words)
            words = k->words;
    }
    asm volatile("" : "+r"(words));
    if (!words || words >= SITE_ROOM || bpf_probe_read_user(v->word, words * sizeof(v->word[0]), (void *)v->sp))
        return 0;
    for (u32 way = 0; way < KNOWN_WAYS; way++) {
        const struct known_site *k = known_way(v, way);
        if (!has_key(k, &v->now))
            continue;
        u64 differs = 0;
        for (u32 i = 0; i < SITE_KEPT; i++) {
            if (i % 8 == 0 && i >= k->kept)
                break;
            differs |= v->word[k->at[i]] ^ k->word[i];
        }
        if (!differs) {
            v->hash = k->callers;
            return 1;
        }
    }
    return 0;
}

/* Not where words were left that nobody took a look at: what was found behind them says too little of them. */
__noinline int remember_site(u32 copy)
{
    struct site_view *v = bpf_map_lookup_elem(&site_views, &copy);
    if (!v || !v->kept || v->kept > SITE_KEPT || !v->looks_left)
        return 0;
    u32 kept = v->kept;
    for (u32 i = 1; i < SITE_KEPT; i++)
        if (i >= kept) {
            v->now.at[i] = v->now.at[0];
            v->now.word[i] = v->now.word[0];
        }
    v->now.kept = kept;
    v->now.callers = v->hash;
    *known_way(v, v->next_way++) = v->now;
    return 0;
}

/* A stack may end before so many words, and a probe read that runs past the mapping fails as a whole. */
static __always_inline u32 read_words(struct site_view *v)
{
    if (!bpf_probe_read_user(v->word, SITE_WORDS * 8, (void *)v->sp))
        return SITE_WORDS;
    if (!bpf_probe_read_user(v->word, SITE_WORDS / 4 * 8, (void *)v->sp))
        return SITE_WORDS / 4;
    return bpf_probe_read_user(v->word, 8, (void *)v->sp) ? 0 : 1;
}

static __always_inline void look_for_callers(struct site_view *v, u32 copy, struct task_struct *task, u64 hash, u64 frame)
{
    v->text_start = READ(task, mm, start_code);
    v->text_end = READ(task, mm, end_code);
    v->looks_left = SITE_LOOKS;
    v->kept = 0;
    v->now.words = 0;
    v->hash = hash_frames(v, copy, hash, frame);
    if (!v->hash) {
        hash_words(v, copy, hash, read_words(v));
    } else if (!bpf_probe_read_user(v->word, 8, (void *)v->sp)) { /* libc's wrapper has no frame: who called it stands here */
        v->hash = mix(v->hash, v->word[0]);
        keep_word(v, 0, v->word[0]);
    }
    remember_site(copy);
}

/*
 * The place that made this call: the user's instruction and who called whom to come there. The innermost caller alone
 * will not do: behind a wrapper, an event library or a run-time, all places would be one, and a finding would name
 * whoever came first. Global: verified once.
 */
__noinline int find_site(u32 which)
{
    u32 copy = which / (CALL_SLOTS / 2);
    struct call *c = bpf_map_lookup_elem(&calls, &which);
    struct site_view *v = bpf_map_lookup_elem(&site_views, &copy);
    struct pt_regs *registers = user_registers();
    if (!c || !v || !registers)
        return 0;
    const struct posting *p = &c->posting;
    struct task_struct *task = waker_task();
    u64 frame = user_frame_pointer(registers);
    v->sp = user_stack_pointer(registers);
    v->tgid = p->tgid;
    v->now.sp = v->sp;
    v->now.instruction = user_instruction(registers) + (user_link(registers) << 16);
    v->now.frame = frame - v->sp <= FRAMES_WITHIN ? frame : 0;
    v->now.mm = (u64)READ(task, mm);
    if (!recall_site(copy))
        look_for_callers(v, copy, task, mix(v->now.instruction, p->tgid), frame);
    c->site = mix(v->hash, (u64)p->kind << 32 | p->mask) | 1;
    return 0;
}

/* One stack of each place is enough. */
static __always_inline void take_stack_of_site(struct call *c, u32 role)
{
    u64 seen_at = c->posting.time;
    if (bpf_map_lookup_elem(&sites, &c->site))
        return;
    if (bpf_map_update_elem(&sites, &c->site, &seen_at, BPF_NOEXIST))
        books_stat(NULL, STAT_SITES_FULL);
    else if (!take_stack(c->which, role))
        bpf_map_delete_elem(&sites, &c->site); /* another time */
}

static __always_inline void note_site(struct call *c, struct registration_row *r)
{
    const struct posting *p = &c->posting;
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
static __noinline void note_left(struct call *c, struct file_row *f, u32 role)
{
    if (!stack_bytes || f->left_at != c->posting.time)
        return;
    struct registration_key key = {.epoll = f->home, .file = c->posting.file, .fd = f->home_fd, .pad = 0};
    struct registration_row *r = books_registration(NULL, &key);
    if (!r || !(r->mask & EV_ET))
        return;
    find_site(c->which);
    if (!c->site || c->site == r->left_site)
        return;
    r->left_site = c->site;
    record_site(RECORD_LEFT_SITE, &key, c->site);
    take_stack_of_site(c, STACK_LEFT | role);
}
