/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which place in the program made a call: its instruction, and who called whom to come there, as one number. Programs make
 * their calls of epoll_ctl from a few places again and again, so a place is looked for once and known again by the words of
 * the stack that told it.
 */
#pragma once

#include "blocked.h"
#include "call.h"
#include "python_walk.h"

static __always_inline struct pt_regs* user_registers(void) { return entry_registers(waker_task()); }

#define SITE_WORDS 96  /* of the stack, from its pointer upwards */
#define SITE_CALLERS 8 /* return addresses among them that count */
#define SITE_LOOKS 64  /* words of which it takes a look at the code to know */
#define SITE_FRAMES 32
#define FRAMES_WITHIN (1 << 20) /* of the stack pointer, bytes */
#define SITE_PYTHON 8           /* Python frames that count, where it is a Python program */
#define SITE_MEMO 512           /* words whose code was looked at, a power of two */

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
    u64 sp;          /* 0: none */
    u64 instruction; /* of the call, with what the link register tells of who called */
    u64 frame;       /* the frame pointer, where it points into the stack */
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
    struct site_view* v = bpf_map_lookup_elem(&site_views, &copy);
    if (!v)
        return 0;
    u64 code, tag = mix(word, v->tgid) & ~1ULL;
    u64* known = &v->memo[tag >> 32 & (SITE_MEMO - 1)];
    if ((*known & ~1ULL) != tag)
        *known = tag | (!bpf_probe_read_user(&code, sizeof(code), (void*)(word - sizeof(code))) && ends_in_call(code));
    return *known & 1;
}

/* Is this word a return address? Of the program's own code for sure enough, elsewhere when a call stands before it. */
static __always_inline bool returns_to(struct site_view* v, u32 copy, u64 word)
{
    if (word >= v->text_start && word < v->text_end)
        return true;
    if (word < 0x100000000ULL || word >> 47 || word - v->sp < (1 << 20) || !v->looks_left)
        return false;
    v->looks_left -= 1;
    return call_before(copy, word);
}

static __always_inline void keep_word(struct site_view* v, u64 at, u64 word)
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
static __always_inline u64 hash_frames(struct site_view* v, u32 copy, u64 hash, u64 frame)
{
    u64 least = v->sp;
    v->found = 0;
    for (u32 i = 0; i < SITE_FRAMES; i++) {
        u64 pair[2];
        if (frame < least || frame - v->sp > FRAMES_WITHIN || frame % 8)
            break;
        if (bpf_probe_read_user(pair, sizeof(pair), (void*)frame)) {
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
    struct site_view* v = bpf_map_lookup_elem(&site_views, &copy);
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
static __always_inline u64 hash_words(struct site_view* v, u32 copy, u64 hash, u32 words)
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
static __always_inline struct known_site* known_way(struct site_view* v, u64 way)
{
    const struct known_site* k = &v->now;
    u64 at = (mix(mix(k->sp, k->instruction), k->mm) >> 32) * KNOWN_WAYS + way % KNOWN_WAYS;
    asm volatile(""
                 : "+r"(at)); /* else clang drops the mask below, or puts it where not every verifier sees the bound */
    return &v->known[at & (KNOWN_SITES - 1)];
}

static __always_inline bool has_key(const struct known_site* k, const struct known_site* now)
{
    return k->sp == now->sp && k->instruction == now->instruction && k->frame == now->frame && k->mm == now->mm;
}

/* Is it one that is remembered? Global: verified once. (And no loop's head right after a call: 5.10's verifier refuses that.) */
__noinline int recall_site(u32 copy)
{
    struct site_view* v = bpf_map_lookup_elem(&site_views, &copy);
    u64 words = 0;
    if (!v)
        return 0;
    for (u32 way = 0; way < KNOWN_WAYS; way++) {
        const struct known_site* k = known_way(v, way);
        if (has_key(k, &v->now) && words < k->words)
            words = k->words;
    }
    asm volatile("" : "+r"(words));
    if (!words || words >= SITE_ROOM || bpf_probe_read_user(v->word, words * sizeof(v->word[0]), (void*)v->sp))
        return 0;
    for (u32 way = 0; way < KNOWN_WAYS; way++) {
        const struct known_site* k = known_way(v, way);
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
    struct site_view* v = bpf_map_lookup_elem(&site_views, &copy);
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
static __always_inline u32 read_words(struct site_view* v)
{
    if (!bpf_probe_read_user(v->word, SITE_WORDS * 8, (void*)v->sp))
        return SITE_WORDS;
    if (!bpf_probe_read_user(v->word, SITE_WORDS / 4 * 8, (void*)v->sp))
        return SITE_WORDS / 4;
    return bpf_probe_read_user(v->word, 8, (void*)v->sp) ? 0 : 1;
}

static __always_inline void look_for_callers(struct site_view* v, u32 copy, struct task_struct* task, u64 hash,
                                             u64 frame)
{
    v->text_start = READ(task, mm, start_code);
    v->text_end = READ(task, mm, end_code);
    v->looks_left = SITE_LOOKS;
    v->kept = 0;
    v->now.words = 0;
    v->hash = hash_frames(v, copy, hash, frame);
    if (!v->hash) {
        hash_words(v, copy, hash, read_words(v));
    } else if (!bpf_probe_read_user(v->word, 8,
                                    (void*)v->sp)) { /* libc's wrapper has no frame: who called it stands here */
        v->hash = mix(v->hash, v->word[0]);
        keep_word(v, 0, v->word[0]);
    }
    remember_site(copy);
}

/* All that a Python program calls, it calls from the same few places of the interpreter. */
static __always_inline u64 mix_python(u64 hash, u32 copy, u32 tgid, u32 tid)
{
    struct python_view* v = bpf_map_lookup_elem(&python_views, &copy);
    if (!v)
        return hash;
    u32 found = walk_python(v, copy, tgid, tid, SITE_PYTHON);
    for (u32 i = 0; i < SITE_PYTHON; i++)
        if (i < found)
            hash = mix(mix(hash, v->frame[i].code), v->frame[i].instr);
    return hash;
}

/*
 * The place that made this call: the user's instruction and who called whom to come there. The innermost caller alone
 * will not do: behind a wrapper, an event library or a run-time, all places would be one, and a finding would name
 * whoever came first. Global: verified once.
 */
__noinline int find_site(u32 which)
{
    u32 copy = which / (CALL_SLOTS / 2);
    struct call* c = bpf_map_lookup_elem(&calls, &which);
    struct site_view* v = bpf_map_lookup_elem(&site_views, &copy);
    struct pt_regs* registers = user_registers();
    if (!c || !v || !registers)
        return 0;
    const struct posting* p = &c->posting;
    struct task_struct* task = waker_task();
    u64 frame = user_frame_pointer(registers);
    v->sp = user_stack_pointer(registers);
    v->tgid = p->tgid;
    v->now.sp = v->sp;
    v->now.instruction = user_instruction(registers) + (user_link(registers) << 16);
    v->now.frame = frame - v->sp <= FRAMES_WITHIN ? frame : 0;
    v->now.mm = (u64)READ(task, mm);
    if (!recall_site(copy))
        look_for_callers(v, copy, task, mix(v->now.instruction, p->tgid), frame);
    if (facts.pythons)
        v->hash = mix_python(v->hash, copy, p->tgid, p->tid);
    c->site = mix(v->hash, (u64)p->kind << 32 | p->mask) | 1;
    return 0;
}
