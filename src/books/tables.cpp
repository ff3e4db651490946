// SPDX-License-Identifier: Apache-2.0
#include "src/books/tables.h"

#include <algorithm>

#include "src/books/ledger_books.h"

namespace epaudit {
namespace {

constexpr uint8_t kInputFlags = STATE_RCV_SHUTDOWN | STATE_SEND_SHUTDOWN | STATE_EOF_UNREAD;
constexpr uint8_t kOutputFlags = STATE_WRITABLE | STATE_STREAM;

// A write to such a file may set somebody else to work, registered or not (reaches_others in bpf/state.h).
bool reaches_others(uint8_t kind)
{
    return kind == FILE_TCP || kind == FILE_UDP || kind == FILE_UNIX || kind == FILE_PIPE || kind == FILE_EVENTFD ||
           kind == FILE_SOCKET || kind == FILE_BYTES;
}

// Postings read only the part of the state that they need: read_input() or read_output() of bpf/state.h.
void take_input(file_state& known, const file_state& s)
{
    known.unread = s.unread;
    known.backlog = s.backlog;
    known.flags = static_cast<uint8_t>((known.flags & ~kInputFlags) | (s.flags & kInputFlags));
}

void take_output(file_state& known, const file_state& s)
{
    known.unsent = s.unsent;
    known.sk_state = s.sk_state;
    known.flags = static_cast<uint8_t>((known.flags & ~kOutputFlags) | (s.flags & kOutputFlags));
}

template <typename Map, typename Key>
auto find_row(const Map& rows, const Key& key) -> const typename Map::mapped_type*
{
    auto at = rows.find(key);
    return at == rows.end() ? nullptr : &at->second;
}

}  // namespace

const file_row* Tables::file(uint64_t id) const { return find_row(books_.files, id); }

fault_row Tables::fault(uint64_t file) const
{
    const fault_row* x = find_row(books_.faults, file);
    return x ? *x : fault_row{};
}

const epoll_row* Tables::epoll(uint64_t id) const { return find_row(books_.epolls, id); }
const thread_row* Tables::thread(uint32_t tid) const { return find_row(books_.threads, tid); }

const registration_row* Tables::registration(const registration_key& key) const
{
    return find_row(books_.registrations, key);
}

run_row Tables::runs(const registration_key& key) const
{
    const run_row* x = find_row(books_.runs, key);
    return x ? *x : run_row{};
}

void Tables::set_kind(uint64_t file, uint8_t kind)
{
    if (file_row* f = books_file(&books_, file))
        f->kind = kind;
}

void Tables::set_timeout(uint32_t tid, int32_t ms)
{
    if (thread_row* t = books_thread(&books_, tid))
        t->timeout_ms = ms;
}

uint64_t Tables::find_file(uint64_t epoll, uint64_t data) const
{
    auto at = books_.indexes.find({epoll, data});
    return at == books_.indexes.end() || at->second.count != 1 ? 0 : at->second.file_sum;
}

void Tables::forget_file(uint64_t file, uint64_t epoll)
{
    if (file_row* f = books_file(&books_, file)) {
        ledger_drop_home(&books_, f, file);
        ledger_remove_file(&books_, f, file);
    }
    states_.erase(file);
    names_.erase(file);
    if (epoll)
        forget_epoll(epoll);
}

void Tables::note_state(const posting& p)
{
    if (recorded_)
        return;
    if (p.kind == POSTING_PEER_CLOSED) {  // tcp_fin(): RCV_SHUTDOWN, CLOSE_WAIT, and the FIN is still to be read
        file_state& known = states_[p.file];
        known.flags |= STATE_RCV_SHUTDOWN | STATE_EOF_UNREAD;
        known.sk_state = SK_CLOSE_WAIT;
        return;
    }
    if (p.kind == POSTING_READ && p.result == 0 && p.amount != 0 && states_.count(p.file))
        states_[p.file].flags &= ~STATE_EOF_UNREAD;
    if (!(p.flags & POSTING_STATE) || !p.file)
        return;
    file_state& known = states_[p.file];
    if (p.kind == POSTING_WRITE) {
        take_output(known, p.state);
        return;
    }
    take_input(known, p.state);
    known.io = p.state.io;
    if (p.kind == POSTING_DELIVERED)
        known.aux = p.state.aux;
}

void Tables::apply(const posting& p)
{
    if (!began_)
        began_ = p.time;
    books_.now = std::max(books_.now, p.time);
    books_stat(&books_, STAT_POSTINGS);
    if (p.kind < POSTING_KINDS)
        books_stat(&books_, STAT_CALLS + p.kind);
    if (p.kind != POSTING_DELIVERED)  // there the file is known only after the look-up by data
        note_state(p);
    dispatch(p);
}

// One case per kind, as on_sys_exit() and its helpers in bpf/syscalls.bpf.c.
void Tables::dispatch(const posting& p)
{
    switch (p.kind) {
    case POSTING_ADD: ledger_add(&books_, &p); return;
    case POSTING_SEEDED: return p.file ? void(ledger_add(&books_, &p)) : create_epoll(p);
    case POSTING_MOD: ledger_mod(&books_, &p); return;
    case POSTING_DEL: ledger_del(&books_, &p); return;
    case POSTING_WAIT: return ledger_wait(&books_, &p);
    case POSTING_DELIVERED: return deliver(p);
    case POSTING_RETURN: return finish_return(p);
    case POSTING_CREATE: return create_epoll(p);
    case POSTING_CLOSE: return close(p);
    case POSTING_SHUTDOWN: return ledger_shutdown(&books_, &p);
    case POSTING_FCNTL: return ledger_fcntl(&books_, &p);
    case POSTING_READY: return ledger_ready(&books_, &p);
    case POSTING_WOKEN: return ledger_woken(&books_, &p);
    case POSTING_PEER_CLOSED: return ledger_peer_closed(&books_, &p);
    case POSTING_HANDOFF: return ledger_handoff(&books_, &p);
    case POSTING_URING: return ledger_uring(&books_, &p);
    case POSTING_BLOCKED: return ledger_blocked(&books_, &p);
    case POSTING_OVERLAP: return ledger_overlap(&books_, &p);
    case POSTING_EXEC: return ledger_exec(&books_, &p);
    case POSTING_EXIT: books_remove_thread(&books_, p.tid); return;
    default: return dispatch_io(p);
    }
}

void Tables::dispatch_io(const posting& p)
{
    file_row* f = books_file(&books_, p.file);
    bool io = p.kind == POSTING_READ || p.kind == POSTING_WRITE || p.kind == POSTING_ACCEPT;
    if (io)
        ledger_bad_fd(&books_, &p);
    if (p.kind == POSTING_WRITE && (f || reaches_others(p.file_kind)))
        ledger_wrote(&books_, f, &p);
    if (p.kind == POSTING_CONNECT)
        return ledger_connect(&books_, f, &p);
    if (!f)
        return;
    switch (p.kind) {
    case POSTING_READ:
        if (f->kind != FILE_LISTENER)
            ledger_read(&books_, f, &p);
        break;
    case POSTING_WRITE: ledger_write(&books_, f, &p); break;
    case POSTING_ACCEPT:
        if (p.result >= 0 || p.file_kind == FILE_LISTENER)  // it may have been registered before listen()
            f->kind = FILE_LISTENER;
        ledger_accept(&books_, f, &p);
        break;
    case POSTING_ENTER: ledger_enter(&books_, f, &p); break;
    case POSTING_PEEK: ledger_peek(&books_, f, &p); break;
    case POSTING_SETTIME:
    case POSTING_SO_ERROR:
    case POSTING_ERRQUEUE: ledger_cleared(&books_, f, &p); break;
    default: break;  // DUP, FORK: no rule looks at them yet
    }
}

void Tables::finish_return(const posting& p)
{
    Turn& turn = turns_[p.tid];
    if (turn.batch.idle) {
        for (const registration_key& key : turn.delivered)
            ledger_settle(&books_, &p, &key, &turn.batch);
    }
    ledger_return(&books_, &p, ledger_open_epoll(&books_, &p), ledger_open_thread(&books_, &p), &turn.batch);
    turn.batch = {};
    turn.begun = false;
    turn.delivered.clear();
}

void Tables::create_epoll(const posting& p)
{
    if (p.result < 0 || !p.epoll)
        return;
    if (p.kind == POSTING_CREATE)  // the address may have belonged to an instance that is gone
        forget_epoll(p.epoll);
    ledger_open_epoll(&books_, &p);
}

// The kernel's registrations die with their eventpoll (ep_free); here its last close must do it.
void Tables::close(const posting& p)
{
    ledger_close(&books_, &p);
    if (!(p.flags & POSTING_LAST))
        return;
    states_.erase(p.file);
    names_.erase(p.file);
    if (p.epoll)
        forget_epoll(p.epoll);
}

void Tables::forget_epoll(uint64_t epoll)
{
    if (!books_.epolls.count(epoll))
        return;
    for (const auto& [key, row] : books_.registrations) {
        if (key.epoll == epoll)
            set_gone(key);
    }
    drop_dead_registrations();
    books_.epolls.erase(epoll);
}

// As sweep_registration() in bpf/sweep.h.
void Tables::drop_dead_registrations()
{
    std::vector<registration_key> dead;
    for (const auto& [key, row] : books_.registrations) {
        if (!books_file(&books_, key.file) || books_item_gone(&books_, &key, &row))
            dead.push_back(key);
    }
    for (const registration_key& key : dead) {
        ready_.erase(identity(key));
        ledger_drop_registration(&books_, &key, books_registration(&books_, &key), books_file(&books_, key.file), true);
    }
}

}  // namespace epaudit
