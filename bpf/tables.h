/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The books as BPF maps, and the functions ledger.h asks for. Defined once, in tables.bpf.c. */
#pragma once

#include "types.h"
#include <bpf/bpf_helpers.h>
#include "load.h"
#include "probes.h"

/*
 * Rows are allocated when they are needed: 65,536 of them beforehand would take 60 MB for a server with ten
 * connections. All insertions happen in process context (a system call, the seed), where before 6.1
 * (fba1a1c6c912: own allocator) kmalloc() from a tracing program is safe as well.
 */
#define TABLE(name, key_type, row_type)       \
    struct name##_table {                     \
        __uint(type, BPF_MAP_TYPE_HASH);      \
        __uint(map_flags, BPF_F_NO_PREALLOC); \
        __uint(max_entries, 65536);           \
        __type(key, key_type);                \
        __type(value, row_type);              \
    };                                        \
    extern struct name##_table name##_rows SEC(".maps")

TABLE(file, u64, struct file_row);
TABLE(fault, u64, struct fault_row);
TABLE(registration, struct registration_key, struct registration_row);
TABLE(epoll, u64, struct epoll_row);
TABLE(thread, u32, struct thread_row);
TABLE(run, struct registration_key, struct run_row);
TABLE(index, struct index_key, struct index_row);
TABLE(process, u32, struct process_row);

struct stat_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STAT_SLOTS);
    __type(key, u32);
    __type(value, u64);
};
extern struct stat_table stats SEC(".maps");

/* Last words of registrations that died between two sweeps. */
struct buried_table {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 21); /* 1,900 of them, read ten times a second */
};
extern struct buried_table buried SEC(".maps");

extern struct probe_facts facts;
extern const volatile bool twins; /* twins.h */
extern const volatile u8 call_classes[CALL_TABLE];
extern const volatile bool probe_registers; /* hooks_trampoline.h */

/* What the system call of this number is to us; any number will do, -1 too. */
static __always_inline u8 class_of_number(s64 number)
{
    return (u64)number < CALL_TABLE ? call_classes[number] : CALL_NONE;
}

struct books;

static __always_inline void books_stat(struct books* b, u32 stat)
{
    u64* slot = bpf_map_lookup_elem(&stats, &stat);
    if (!slot)
        return;
    if (twins)
        __sync_fetch_and_add(slot, 1); /* of this CPU, but probes can be preempted here (twins.h) */
    else
        *slot += 1;
}

static __always_inline void books_stats(struct books* b, u32 stat, u64 n)
{
    u64* slot = bpf_map_lookup_elem(&stats, &stat);
    if (slot)
        __sync_fetch_and_add(slot, n);
}

/* From now on writes are looked at as they begin: they may make it readable (told_by_write()). */
static __always_inline void note_wake_file(u8 kind)
{
    if (kind == FILE_EVENTFD || kind == FILE_PIPE)
        facts.wake_files = 1;
}

static __always_inline void books_indexed(struct books* b, const struct registration_key* key, u64 data) {}
static __always_inline void books_unindexed(struct books* b, const struct registration_key* key, u64 data) {}
static __always_inline bool books_seeded(struct books* b) { return facts.seeded; }
static __always_inline u64 books_time(struct books* b) { return bpf_ktime_get_ns(); }

#include "record.h"

/* Values for new rows; a row is too large for the 512-byte stack. */
extern const struct file_row empty_file;
extern const struct fault_row empty_fault;
extern const struct registration_row empty_registration;
extern const struct run_row empty_run;
extern const struct epoll_row empty_epoll;
extern const struct thread_row empty_thread;

/* `made`: by this call, not by another CPU. */
#define BOOKS(name, key_type, full_stat)                                                                         \
    static __always_inline struct name##_row* books_##name##_at(key_type* key)                                   \
    {                                                                                                            \
        return bpf_map_lookup_elem(&name##_rows, key);                                                           \
    }                                                                                                            \
    static __always_inline struct name##_row* books_make_##name##_at(struct books* b, key_type* key, bool* made) \
    {                                                                                                            \
        long error = bpf_map_update_elem(&name##_rows, key, &empty_##name, BPF_NOEXIST);                         \
        struct name##_row* row = bpf_map_lookup_elem(&name##_rows, key);                                         \
        if (error == -ERRNO_EEXIST && !row) { /* it stood there, and was deleted before it was found */          \
            error = bpf_map_update_elem(&name##_rows, key, &empty_##name, BPF_NOEXIST);                          \
            row = bpf_map_lookup_elem(&name##_rows, key);                                                        \
        }                                                                                                        \
        *made = !error;                                                                                          \
        if (error && !row) /* not somebody else's insertion */                                                   \
            books_stat(b, error == -ERRNO_ENOMEM ? STAT_NO_MEMORY : full_stat);                                  \
        return row;                                                                                              \
    }                                                                                                            \
    static __always_inline struct name##_row* books_add_##name##_at(struct books* b, key_type* key)              \
    {                                                                                                            \
        bool made;                                                                                               \
        return books_make_##name##_at(b, key, &made);                                                            \
    }

BOOKS(file, u64, STAT_FILES_FULL)
BOOKS(fault, u64, STAT_FILES_FULL)
BOOKS(registration, const struct registration_key, STAT_REGISTRATIONS_FULL)
BOOKS(run, const struct registration_key, STAT_REGISTRATIONS_FULL)
BOOKS(epoll, u64, STAT_EPOLLS_FULL)
BOOKS(thread, u32, STAT_THREADS_FULL)

static __always_inline bool books_make_index(struct books* b, const struct index_key* key, const struct index_row* row)
{
    long error = bpf_map_update_elem(&index_rows, key, row, BPF_NOEXIST);
    if (error && error != -ERRNO_EEXIST)
        books_stat(b, error == -ERRNO_ENOMEM ? STAT_NO_MEMORY : STAT_INDEX_FULL);
    return error != -ERRNO_EEXIST;
}

/*
 * How many files, and epolls, of which there are rows have an address that hashes so: what everybody's arrivals and
 * readiness are asked first, instead of a hash table. As `crowd` below: too many may be counted, never too few.
 */
#define FILE_CROWD_SLOTS 16384 /* powers of two */
#define EPOLL_CROWD_SLOTS 1024
extern u32 file_crowd[FILE_CROWD_SLOTS];
extern u32 epoll_crowd[EPOLL_CROWD_SLOTS];

static __always_inline u32* crowd_of_file(u64 file) /* 64: their alignment */
{
    file = plain(file);
    return &file_crowd[(file >> 6 ^ file >> 20) & (FILE_CROWD_SLOTS - 1)];
}

static __always_inline u32* crowd_of_epoll(u64 epoll)
{
    epoll = plain(epoll);
    return &epoll_crowd[(epoll >> 6 ^ epoll >> 16) & (EPOLL_CROWD_SLOTS - 1)];
}

/* How many rows of files came and went so far: who has listed them need not do so again while it stays (live_walk.cpp).
 * It is counted after the row came, so that who reads it first and lists then misses none for good. */
extern u32 file_changes;

static __always_inline bool may_have_row(const u32* crowd_slot) { return *crowd_slot; }

/* A helper's key must lie on the stack or in a map, hence the copies. */
static __always_inline struct file_row* books_file(struct books* b, u64 file) { return books_file_at(&file); }
static __always_inline struct file_row* books_add_file(struct books* b, u64 file)
{
    bool made;
    __sync_fetch_and_add(crowd_of_file(file), 1);
    struct file_row* f = books_make_file_at(b, &file, &made);
    if (made)
        __sync_fetch_and_add(&file_changes, 1);
    else
        __sync_fetch_and_add(crowd_of_file(file), -1);
    return f;
}
static __always_inline void books_remove_file(struct books* b, u64 file)
{
    record_file_totals(file);
    if (bpf_map_delete_elem(&file_rows, &file))
        return;
    __sync_fetch_and_add(crowd_of_file(file), -1);
    __sync_fetch_and_add(&file_changes, 1);
}
static __always_inline struct fault_row* books_fault(struct books* b, u64 file) { return books_fault_at(&file); }
static __always_inline struct fault_row* books_add_fault(struct books* b, u64 file)
{
    return books_add_fault_at(b, &file);
}
static __always_inline void books_remove_fault(struct books* b, u64 file) { bpf_map_delete_elem(&fault_rows, &file); }
static __always_inline struct epoll_row* books_epoll(struct books* b, u64 epoll) { return books_epoll_at(&epoll); }
static __always_inline struct epoll_row* books_add_epoll(struct books* b, u64 epoll)
{
    bool made;
    __sync_fetch_and_add(crowd_of_epoll(epoll), 1);
    struct epoll_row* e = books_make_epoll_at(b, &epoll, &made);
    if (!made)
        __sync_fetch_and_add(crowd_of_epoll(epoll), -1);
    return e;
}
static __always_inline void delete_epoll(u64 epoll)
{
    if (!bpf_map_delete_elem(&epoll_rows, &epoll))
        __sync_fetch_and_add(crowd_of_epoll(epoll), -1);
}
static __always_inline void books_remove_epoll(struct books* b, u64 epoll)
{
    const struct epoll_row* e = books_epoll_at(&epoll);
    if (!e)
        return;
    for (u32 i = 0; i < UNKNOWN_EVENTS; i++) /* nothing will explain them any more (ledger_unknown.h) */
        if (e->unknown[i].count && e->unknown[i].quiet)
            books_stats(b, STAT_EVENTS_UNKNOWN, e->unknown[i].count);
    record_gone(RECORD_EPOLL_GONE, epoll, 0, 0);
    delete_epoll(epoll);
}
static __always_inline struct thread_row* books_thread(struct books* b, u32 tid) { return books_thread_at(&tid); }
static __always_inline struct thread_row* books_add_thread(struct books* b, u32 tid)
{
    return books_add_thread_at(b, &tid);
}
static __always_inline void books_remove_thread(struct books* b, u32 tid) { bpf_map_delete_elem(&thread_rows, &tid); }
#define books_registration(b, key) books_registration_at(key)
#define books_add_registration(b, key, made) books_make_registration_at(b, key, made)
#define books_remove_registration(b, key) (!bpf_map_delete_elem(&registration_rows, key))
#define books_run(b, key) books_run_at(key)
#define books_add_run(b, key) books_add_run_at(b, key)
#define books_remove_run(b, key) bpf_map_delete_elem(&run_rows, key)
#define books_index(b, key) ((struct index_row*)bpf_map_lookup_elem(&index_rows, key))
#define books_remove_index(b, key) bpf_map_delete_elem(&index_rows, key)

struct stack_table {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
};
extern struct stack_table stacks SEC(".maps");

extern const volatile u32 stack_bytes; /* of a slice, a multiple of STACK_PAGE; 0: no stacks */

#define PYTHONS 16384
/* Processes whose interpreter of Python is known (python.h). */
struct pythons_table {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, PYTHONS);
    __type(key, u32); /* tgid */
    __type(value, struct python_offsets);
};
extern struct pythons_table pythons SEC(".maps");

/* A child runs what its parent ran. */
static __always_inline void inherit_python(u32 parent, u32 child)
{
    const struct python_offsets* o = facts.pythons ? bpf_map_lookup_elem(&pythons, &parent) : NULL;
    if (o)
        bpf_map_update_elem(&pythons, &child, o, BPF_ANY);
}

static __always_inline void forget_python(u32 tgid)
{
    if (facts.pythons)
        bpf_map_delete_elem(&pythons, &tgid);
}

/*
 * How many watched processes have a number that ends in these bits. Asked before anything else: of all that run, whoever
 * is not watched pays one load and one test. A number that ends as a watched one does goes on to the exact answer, and is
 * told no more.
 * By the kernel's own numbers, which cost least to ask for; where those that user space knows are others (ids.h), all are
 * let through. It may count too many, never too few: whoever puts a row into process_rows counts it before, whoever has taken one out
 * discounts it afterwards.
 */
#define CROWD_SLOTS 16384 /* a power of two */
extern u32 crowd[CROWD_SLOTS];

static __always_inline bool may_be_watched(u32 tgid) { return crowd[tgid & (CROWD_SLOTS - 1)]; }

/*
 * Where processes begin, become another program and end, whoever they are: counted by number, several to a slot. User space
 * looks again at those whose slot has moved (process_scan.h); that a neighbour moved it costs a look and nothing else.
 */
#define PROGRAM_SLOTS 4096 /* a power of two */
extern u32 program_changes[PROGRAM_SLOTS];

static __always_inline void note_program(u32 tgid)
{
    __sync_fetch_and_add(&program_changes[tgid & (PROGRAM_SLOTS - 1)], 1);
}

static __always_inline void count_in_crowd(u32 tgid, u32 by)
{
    __sync_fetch_and_add(&crowd[tgid & (CROWD_SLOTS - 1)], by);
}

enum watching { NOT_WATCHED = 0, WATCHED = 1, NOTICED = 2 };

/* The last answer of how_watched() on each CPU: tgid << 32 | generation << 2 | answer, so that one store changes it. */
struct answer_table {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
};
extern struct answer_table answers SEC(".maps");

/* Is the process watched, and are its calls such as we can read? A busy CPU asks about the same process again and again. */
static __always_inline u32 how_watched(u32 tgid)
{
    u32 zero = 0;
    u64 asked = (u64)tgid << 32 | ((u64)facts.processes_changed & 0x3fffffff) << 2;
    u64* known = bpf_map_lookup_elem(&answers, &zero);
    if (known && (*known & ~3ULL) == asked)
        return *known & 3;
    const struct process_row* row = bpf_map_lookup_elem(&process_rows, &tgid);
    u32 how = !row || (row->flags & PROCESS_UNSEEN) ? NOT_WATCHED : row->flags & PROCESS_NOTICED ? NOTICED : WATCHED;
    if (known)
        *known = asked | how;
    return how;
}

static __always_inline u32 how_watched_if_at_all(u32 tgid)
{
    return may_be_watched(tgid) ? how_watched(tgid) : NOT_WATCHED;
}
static __always_inline bool watched(u32 tgid) { return how_watched_if_at_all(tgid) == WATCHED; }
