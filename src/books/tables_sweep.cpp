// SPDX-License-Identifier: Apache-2.0
// The sweep over the books in user space: ages are refreshed, and the rows that deserve a look picked, as bpf/sweep.h does it.
#include <algorithm>
#include <tuple>
#include <utility>

#include "src/books/ledger_books.h"
#include "src/books/tables.h"

namespace epaudit {
namespace {

// Where unread input is not known: an edge-triggered file whose last read filled its buffer may hold more.
bool may_hold_more(const file_row& f, const registration_row& r)
{
    return (r.mask & EV_ET) && f.last_read > 0 && static_cast<u32>(f.last_read) == f.last_asked;
}

bool wants_input(uint32_t mask) { return mask & (EV_IN | EV_RDNORM); }

}  // namespace

// A level-triggered item goes back to the ready list when it is delivered (ep_send_events), every other
// one only when its file calls ep_poll_callback().
bool Tables::on_ready_list(const registration_key& key, const registration_row& r, const file_state& s) const
{
    auto told = ready_.find(identity(key));
    if (told != ready_.end())
        return told->second;
    if (r.flags & REGISTRATION_FIRED)
        return false;
    if (r.ready_at)
        return wants_input(r.mask);  // ep_poll_callback() looks at the mask first
    return !(r.mask & EV_ET) && wants_input(r.mask) && ledger_input_waits(&s);
}

void Tables::sweep_file(uint64_t id, file_row& f, const Registrations& by_file, Snapshot& out)
{
    Entry entry{};
    auto known = states_.find(id);
    if (known != states_.end())
        entry.state = known->second;
    ledger_end_untold(&f, &entry.state);
    const fault_row* x = ledger_refresh_file(&books_, &f, id, &entry.state, out.time);
    entry.time = out.time;
    entry.file_id = id;
    entry.file = f;
    if (x)
        entry.fault = *x;
    auto name = names_.find(id);
    if (name != names_.end())
        entry.name = name->second;
    bool look = ledger_file_matters(&f, x, &entry.state);
    auto at = by_file.find(id);
    if (at == by_file.end()) {
        entry.key = {0, id, f.fd, 0};
        if (look)
            out.entries.push_back(entry);
        return;
    }
    entry.chain = static_cast<u32>(at->second.size());
    for (const registration_key& key : at->second) {
        const registration_row& r = books_.registrations.at(key);
        entry.key = key;
        entry.registration = r;
        entry.runs = runs(key);
        entry.ready = on_ready_list(key, r, entry.state);
        // do_epoll_ctl() adds EPOLLERR and EPOLLHUP; a fired ONESHOT keeps the private bits only.
        entry.live_mask = r.flags & REGISTRATION_FIRED ? r.mask & EV_PRIVATE : r.mask | EV_ERR | EV_HUP;
        bool unsure = !state_known_ && may_hold_more(f, r);
        if (look || unsure || ledger_registration_matters(&r, &f, &entry.state, entry.ready, out.time) ||
            ledger_habit_matters(&r, &f))
            out.entries.push_back(entry);
    }
}

void Tables::see_stopped(uint32_t tid, bool stopped, uint64_t now)
{
    if (thread_row* t = books_thread(&books_, tid))
        ledger_thread_seen(t, stopped, now);
}

Snapshot Tables::snapshot(uint64_t now)
{
    Snapshot out;
    books_.now = std::max(books_.now, now);
    out.time = now;
    out.began = began_;
    out.state_known = state_known_;
    out.times_known = times_known_;
    drop_dead_registrations();
    Registrations by_file;
    for (const auto& [key, row] : books_.registrations)
        by_file[key.file].push_back(key);
    for (auto& [id, row] : books_.files)
        sweep_file(id, row, by_file, out);
    std::sort(out.entries.begin(), out.entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.file_id, a.key.epoll, a.key.fd) < std::tie(b.file_id, b.key.epoll, b.key.fd);
    });
    out.buried = std::exchange(books_.buried, {});
    out.epolls.insert(books_.epolls.begin(), books_.epolls.end());
    out.threads.insert(books_.threads.begin(), books_.threads.end());
    out.processes = processes_;
    out.stats = books_.stats;
    return out;
}

}  // namespace epaudit
