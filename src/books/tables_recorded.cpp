// SPDX-License-Identifier: Apache-2.0
// The books kept anew from a recording: each record goes to the same functions of the ledger to which the kernel's
// probes handed it (bpf/calls*.h, sweep.bpf.c).
#include <algorithm>
#include <cstring>
#include <utility>

#include "src/books/ledger_books.h"

namespace epaudit {
namespace {

constexpr size_t kMostEarly = 64;

void drop_registration(books* b, const registration_key& key)
{
    if (registration_row* r = books_registration(b, &key))
        ledger_drop_registration(b, &key, r, books_file(b, key.file), true);
}

}  // namespace

void Tables::apply_recorded(const posting& p)
{
    recorded_ = true;
    books_.now = p.time;
    registration_key key{p.epoll, p.file, p.fd, 0};
    switch (p.record) {
    case RECORD_POSTING:
        dispatch_recorded(p);
        if (!early_.empty() && (p.kind == POSTING_ADD || p.kind == POSTING_SEEDED))
            book_early(p);
        return;
    case RECORD_REFUSED: return ledger_refused(&books_, &p);
    case RECORD_BAD_FD: return ledger_bad_fd(&books_, &p);
    case RECORD_WROTE: return ledger_wrote(&books_, nullptr, &p);
    case RECORD_SWEPT:
        if (file_row* f = books_file(&books_, p.file))
            ledger_refresh_file(&books_, f, p.file, &p.state, p.time);
        return;
    case RECORD_GONE: return drop_registration(&books_, key);
    case RECORD_FILE_GONE:
        if (const file_row* f = books_file(&books_, p.file))
            ledger_remove_file(&books_, f, p.file);
        return;
    case RECORD_EPOLL_GONE: return books_remove_epoll(&books_, p.epoll);
    case RECORD_THREAD_GONE:
        turns_.erase(static_cast<u32>(p.fd));
        return books_remove_thread(&books_, static_cast<u32>(p.fd));
    case RECORD_SITE:
        if (registration_row* r = books_registration(&books_, &key))
            r->armed_site = p.data;
        return;
    case RECORD_LEFT_SITE:
        if (registration_row* r = books_registration(&books_, &key))
            r->left_site = p.data;
        return;
    case RECORD_WAITS: return recorded_waits(p);
    default: return;  // SWEEP_END: nothing to book
    }
}

void Tables::dispatch_recorded(const posting& p)
{
    switch (p.kind) {
    case POSTING_SEEDED:
        if (p.file)
            ledger_add(&books_, &p);
        else
            ledger_open_epoll(&books_, &p);
        return;
    case POSTING_CREATE:  // the address may have belonged to an instance that is gone
        books_remove_epoll(&books_, p.epoll);
        ledger_open_epoll(&books_, &p);
        return;
    case POSTING_WAIT:
        if (auto turn = turns_.find(p.tid); turn != turns_.end() && turn->second.begun)
            turn->second = {};  // its return was not recorded
        return ledger_wait(&books_, &p);
    case POSTING_CLOSE: return ledger_close(&books_, &p);
    case POSTING_READ:
    case POSTING_WRITE:
    case POSTING_ACCEPT:
    case POSTING_CONNECT:
    case POSTING_ENTER:
    case POSTING_PEEK:
    case POSTING_SETTIME:
    case POSTING_SO_ERROR:
    case POSTING_ERRQUEUE: return recorded_io(p);
    case POSTING_EXIT: return;
    default: return dispatch(p);
    }
}

// The kernel makes a row, then its record; a thread on another CPU that finds the row may record its own call in between.
// A call is recorded only if its file had a row, so what comes for a file without one waits here for its ADD. Only so many
// wait: what a row's end has overtaken would never be asked for.
void Tables::keep_early(const posting& p)
{
    early_.push_back(p);
    if (early_.size() > kMostEarly)
        early_.erase(early_.begin());
}

void Tables::book_early(const posting& added)
{
    if (!books_file(&books_, added.file))
        return;
    auto other = [&](const posting& p) { return p.file != added.file; };
    auto ours = std::stable_partition(early_.begin(), early_.end(), other);
    const std::vector<posting> kept(ours, early_.end());
    early_.erase(ours, early_.end());
    for (const posting& p : kept)
        if (p.time >= added.time)  // else of another file that lay at this address
            recorded_io(p);
}

void Tables::recorded_io(const posting& p)
{
    file_row* f = books_file(&books_, p.file);
    if (!f && p.kind != POSTING_CONNECT)  // which needs none
        return keep_early(p);
    if (p.kind == POSTING_WRITE)
        ledger_wrote(&books_, f, &p);
    if (p.kind == POSTING_CONNECT)
        return ledger_connect(&books_, f, &p);
    switch (p.kind) {
    case POSTING_READ: return ledger_read(&books_, f, &p);
    case POSTING_WRITE: return ledger_write(&books_, f, &p);
    case POSTING_ACCEPT: f->kind = p.file_kind; return ledger_accept(&books_, f, &p);  // it may be a listener by now
    case POSTING_ENTER: return ledger_enter(&books_, f, &p);
    case POSTING_PEEK: return ledger_peek(&books_, f, &p);
    default: return ledger_cleared(&books_, f, &p);
    }
}

// As LiveCapture::seed() writes it into the kernel's table.
void Tables::recorded_waits(const posting& p)
{
    auto [at, fresh] = books_.threads.try_emplace(p.tid);
    if (!fresh)
        return;
    thread_row& row = at->second;
    row.epoll = p.epoll;
    row.tgid = p.tgid;
    if (p.kind == POSTING_ENTER) {
        row.call_file = p.file;
        row.call_at = p.time;
        file_row* f = books_file(&books_, p.file);
        if (fault_row* x = f ? ledger_fault_row(&books_, f, p.file) : nullptr)
            x->sleep_calls = 1;
        return;
    }
    row.wait_at = p.time;
    row.waiting = 1;
    row.seeded = 1;
    row.timeout_ms = p.amount ? static_cast<s32>(p.amount) : -1;  // who sleeps has no timeout of 0: not recorded
}

void Tables::show(const posting& p, Shown& out)
{
    const auto tid = static_cast<u32>(p.fd);
    if (const epoll_row* row = p.record == RECORD_EPOLL_ROW ? epoll(p.epoll) : nullptr)
        out.epolls[p.epoll] = *row;
    if (thread_row* row = p.record == RECORD_THREAD_ROW ? books_thread(&books_, tid) : nullptr) {
        ledger_thread_seen(row, p.data != 0, p.time);
        out.threads[tid] = *row;
    }
}

void Tables::show(const recorded_row& row, Shown& shown) const
{
    const file_row* f = file(row.file);
    registration_key key{row.epoll, row.file, row.fd, 0};
    const registration_row* r = row.epoll ? registration(key) : nullptr;
    if (!f || (row.epoll && !r))
        return;
    Entry& out = shown.entries.emplace_back();
    out.file_id = row.file;
    out.file = *f;
    out.fault = fault(row.file);
    out.state = row.state;
    static_assert(sizeof(out.name) == sizeof(row.name));
    memcpy(&out.name, row.name, sizeof(out.name));
    out.key = key;
    if (r)
        out.registration = *r;
    out.runs = runs(key);
    out.time = row.time;
    out.live_mask = row.live_mask;
    out.chain = row.chain;
    out.ready = row.ready;
}

Snapshot Tables::recorded_snapshot(uint64_t now, Shown shown)
{
    Snapshot out;
    out.time = now;
    out.entries = std::move(shown.entries);
    out.buried = std::exchange(books_.buried, {});
    out.epolls = std::move(shown.epolls);
    out.threads = std::move(shown.threads);
    if (out.epolls.empty() && out.threads.empty()) {  // cut before a sweep could show them
        out.epolls.insert(books_.epolls.begin(), books_.epolls.end());
        out.threads.insert(books_.threads.begin(), books_.threads.end());
    }
    out.processes = processes_;
    return out;
}

std::vector<file_totals> Tables::file_account() const
{
    std::vector<file_totals> all = books_.ended_files;
    for (const auto& [id, row] : books_.files)
        totals_of_file(&all.emplace_back(), id, &row, books_.now);
    return all;
}

std::vector<registration_totals> Tables::registration_account() const
{
    std::vector<registration_totals> all = books_.ended_registrations;
    for (const auto& [key, row] : books_.registrations) {
        const run_row known = runs(key);
        totals_of_registration(&all.emplace_back(), &key, &row, &known, books_.now);
    }
    return all;
}

}  // namespace epaudit
