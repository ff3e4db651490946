// SPDX-License-Identifier: Apache-2.0
// What bpf/ledger.h asks of its includer, answered by hash tables, and the ledger itself. For tables*.cpp alone:
// everything here has internal linkage.
#pragma once

#include "bpf/ledger_sweep.h"
#include "bpf/recorded.h"
#include "src/books/tables.h"

static void books_removing_epoll(books*, u64) {}
static void books_removing_thread(books*, u32) {}
static void books_removing_fault(books*, u64) {}

// Last counts, for whoever compares this account with another one of the same run.
static void books_removing_file(books* b, u64 id)
{
    auto at = b->keep_totals ? b->files.find(id) : b->files.end();
    if (at == b->files.end())
        return;
    totals_of_file(&b->ended_files.emplace_back(), id, &at->second, b->now);
}

#define TABLE(name, key_type, rows)                                             \
    static name##_row* books_##name(books* b, key_type key)                     \
    {                                                                           \
        auto at = b->rows.find(key);                                            \
        return at == b->rows.end() ? nullptr : &at->second;                     \
    }                                                                           \
    static name##_row* books_add_##name(books* b, key_type key)                 \
    {                                                                           \
        return &b->rows.try_emplace(key).first->second; /* value-initialised */ \
    }                                                                           \
    [[maybe_unused]] static void books_remove_##name(books* b, key_type key)    \
    {                                                                           \
        books_removing_##name(b, key);                                          \
        b->rows.erase(key);                                                     \
    }

TABLE(epoll, u64, epolls)
TABLE(thread, u32, threads)
TABLE(file, u64, files)
TABLE(fault, u64, faults)
#undef TABLE

static registration_row* books_registration(books* b, const registration_key* key)
{
    auto at = b->registrations.find(*key);
    return at == b->registrations.end() ? nullptr : &at->second;
}

static registration_row* books_add_registration(books* b, const registration_key* key, bool* made)
{
    auto [at, inserted] = b->registrations.try_emplace(*key);
    *made = inserted;
    return &at->second;
}

static bool books_remove_registration(books* b, const registration_key* key)
{
    b->gone.erase({key->epoll, key->file, key->fd});
    return b->registrations.erase(*key);
}

// By a key that is a struct.
#define TABLE(name, key_type, rows)                                \
    static name##_row* books_##name(books* b, const key_type* key) \
    {                                                              \
        auto at = b->rows.find(*key);                              \
        return at == b->rows.end() ? nullptr : &at->second;        \
    }                                                              \
    static void books_remove_##name(books* b, const key_type* key) { b->rows.erase(*key); }

TABLE(run, registration_key, runs)
TABLE(index, index_key, indexes)
#undef TABLE

static run_row* books_add_run(books* b, const registration_key* key)
{
    return &b->runs.try_emplace(*key).first->second;
}

static bool books_make_index(books* b, const index_key* key, const index_row* row)
{
    return b->indexes.try_emplace(*key, *row).second;
}

// Who shares its data with whom. The kernel needs no such list: its ready list tells whose an event is.
static void books_indexed(books* b, const registration_key* key, u64 data)
{
    b->members[{key->epoll, data}].push_back(*key);
}

static void books_unindexed(books* b, const registration_key* key, u64 data)
{
    auto at = b->members.find({key->epoll, data});
    if (at == b->members.end())
        return;
    std::erase_if(at->second, [&](const registration_key& one) { return one.file == key->file && one.fd == key->fd; });
    if (at->second.empty())
        b->members.erase(at);
}

// Nobody asks a kernel here: what died unseen must be told.
static bool books_item_gone(books* b, const registration_key* key, const registration_row*)
{
    return b->gone.count({key->epoll, key->file, key->fd}) != 0;
}

static void books_reborn(books*, u64) {}

// The importer's epolls end with their last close, which it sees.
static u64 books_epoll_file(books*, const posting*) { return 0; }

// As books_bury() in bpf/item.h.
static void books_bury(books* b, const registration_key* key, registration_row* r, file_row* f, const fault_row* x,
                       const run_row* runs, bool file_dies)
{
    if (b->keep_totals)
        totals_of_registration(&b->ended_registrations.emplace_back(), key, r, runs, b->now);
    if (!f || !ledger_past_matters(r, f, x, file_dies))
        return;
    epaudit::Entry words{};
    words.file_id = key->file;
    words.file = *f;
    if (x)
        words.fault = *x;
    words.key = *key;
    words.registration = *r;
    if (runs)
        words.runs = *runs;
    words.time = b->now;
    words.buried = 1;
    b->buried.push_back(words);
}

// What the kernel was asked in the middle of a posting stands in the posting.
static void books_usage(books*, const posting*) {}
static bool books_held_elsewhere(books*, const posting* p) { return !(p->flags & POSTING_LAST); }
static bool books_same_table(books*, const posting* p, u32) { return p->flags & POSTING_KIN; }
static bool books_leads_to(books*, const posting* p, u64) { return !(p->flags & POSTING_STRANGER); }

static void books_stat(books* b, u32 stat) { b->stats[stat] += 1; }
static void books_stats(books* b, u32 stat, u64 n) { b->stats[stat] += n; }
static bool books_seeded(books* b) { return b->seeded; }
static u64 books_time(books* b) { return b->now; }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"  // all ledger functions take the books
#include "bpf/ledger.h"
#pragma GCC diagnostic pop
