// SPDX-License-Identifier: Apache-2.0
// Events of a return: whose are they? In the kernel the ready list answers where data does not (bpf/calls_wait.h); here
// the recording does, or what is known of those that share their data.
#include <algorithm>

#include "src/books/ledger_books.h"

namespace epaudit {
namespace {

// Beyond so many, an event may be anybody's.
constexpr size_t kCandidates = 16;

// Which bits can be true of a file at all; its mask may hold more.
uint32_t possible(uint8_t kind)
{
    constexpr uint32_t kAlways = EV_ERR | EV_HUP;
    switch (kind) {
    case FILE_LISTENER:
    case FILE_TIMERFD:
    case FILE_SIGNALFD:
    case FILE_EPOLL: return EV_IN | EV_RDNORM | kAlways;
    case FILE_EVENTFD: return EV_IN | EV_OUT | kAlways;
    default: return ~0U;
    }
}

}  // namespace

std::vector<registration_key> Tables::candidates(uint64_t epoll, uint64_t data, uint32_t events) const
{
    std::vector<registration_key> out;
    auto at = books_.members.find({epoll, data});
    if (at == books_.members.end())
        return out;
    for (const registration_key& key : at->second) {
        const registration_row* r = registration(key);
        const file_row* f = file(key.file);
        if (r && f && !(r->flags & REGISTRATION_FIRED) && !(events & ~(r->mask | EV_ERR | EV_HUP)) &&
            !(events & ~possible(f->kind)))
            out.push_back(key);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.fd < b.fd; });
    return out;
}

// By its data, or because the kernel knew when it was recorded.
bool Tables::place(const posting& p, registration_key& key) const
{
    auto at = books_.indexes.find({p.epoll, p.data});
    if (at != books_.indexes.end() && at->second.count == 1) {
        key = {p.epoll, at->second.file_sum, static_cast<s32>(at->second.fd_sum), 0};
        return true;
    }
    key = {p.epoll, p.file, p.fd, 0};
    return p.file && registration(key);
}

void Tables::deliver(const posting& p)
{
    Turn& turn = turns_[p.tid];
    if (!turn.begun)
        ledger_begin_batch(&turn.batch, books_thread(&books_, p.tid));
    turn.begun = true;
    epoll_row* e = ledger_open_epoll(&books_, &p);
    registration_key key{};
    if (place(p, key))
        return deliver_to(p, key, turn);
    const std::vector<registration_key> all = candidates(p.epoll, p.data, p.mask);
    if (all.size() == 1 && !recorded_)
        return deliver_to(p, all.front(), turn);
    bool news = std::any_of(all.begin(), all.end(),
                            [&](const auto& one) { return registration(one)->mask & (EV_ET | EV_ONESHOT); });
    if (recorded_ || all.empty() || all.size() > kCandidates || news)
        return ledger_unplaced(&books_, &p, e, &turn.batch);
    deliver_to_one_of(p, all, e, turn);
}

void Tables::deliver_to(posting event, const registration_key& key, Turn& turn)
{
    event.file = key.file;
    event.fd = key.fd;
    note_state(event);
    epoll_row* e = ledger_open_epoll(&books_, &event);
    file_row* f = books_file(&books_, key.file);
    if (f && (event.flags & POSTING_KEPT))
        ledger_kept_unseen(&books_, e, f, &event);
    ledger_deliver(&books_, &event, e, f, &key, &turn.batch);
    turn.delivered.push_back(key);
}

// One of several, all level-triggered. If nobody has touched any of them since the last such event, then not that one
// either, whichever it is.
void Tables::deliver_to_one_of(const posting& p, const std::vector<registration_key>& all, epoll_row* e, Turn& turn)
{
    e->unattributed += 1;
    books_stat(&books_, STAT_UNATTRIBUTED);
    posting event = p;
    auto look_at = [&](const registration_key& key) {
        event.file = key.file;
        if (auto known = states_.find(key.file); (p.flags & POSTING_STATE) && known != states_.end())
            event.state = known->second;
        return books_file(&books_, key.file);
    };
    bool idle = std::none_of(all.begin(), all.end(), [&](const registration_key& key) {
        const file_row* f = look_at(key);
        return ledger_progressed(f, books_registration(&books_, &key), &event);
    });
    (idle ? turn.batch.idle : turn.batch.useful) = 1;
    for (const registration_key& key : all) {
        file_row* f = look_at(key);
        registration_row* r = books_registration(&books_, &key);
        ledger_judged(&books_, f, &key, r, &event, idle);
        ledger_told(f, r, &event);
        r->flags |= REGISTRATION_SHARED;
        turn.delivered.push_back(key);
    }
}

}  // namespace epaudit
