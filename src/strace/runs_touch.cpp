// SPDX-License-Identifier: Apache-2.0
// Which of the epolls of a process a call on an fd concerns. Servers have hundreds of them, one for each thread.
#include <algorithm>

#include "bpf/ledger_limits.h"
#include "src/strace/runs.h"

namespace epaudit {
namespace {

// Of more, a list is kept.
constexpr size_t kFewKeys = 4;

bool answers(uint32_t touch, uint32_t events)
{
    if ((touch & (kChanged | kServed)) || ((touch & kErred) && (events & EV_ERR) && !(events & EV_HUP)))
        return true;
    if (!(events & ~(EV_HUP | EV_ERR)))
        return false;
    if ((touch & kConnected) && !(events & (EV_HUP | EV_ERR)))
        return true;
    return touch & (kTook | kGave);
}

// The same for a call on another fd than the one that is meant, if it is not certain which one is.
bool may_answer(uint32_t touch, uint32_t events)
{
    return ((touch & (kTook | kServed | kWoke)) && (events & kRunInput)) ||
           ((touch & (kGave | kServed | kConnected)) && (events & EV_OUT)) || (touch & kChanged) ||
           ((touch & kErred) && (events & EV_ERR));
}

template <typename T>
bool insert_sorted(std::vector<T>& list, T value)
{
    auto at = std::lower_bound(list.begin(), list.end(), value);
    if (at != list.end() && *at == value)
        return false;
    list.insert(at, value);
    return true;
}

}  // namespace

Runs::Epoll* Runs::Process::find(uint64_t id)
{
    if (indexed()) {
        auto at = by_id.find(id);
        return at == by_id.end() ? nullptr : &epolls[at->second];
    }
    for (Epoll& epoll : epolls)
        if (epoll.place.epoll == id)
            return &epoll;
    return nullptr;
}

Runs::Epoll& Runs::Process::add(const LogPlace& place)
{
    const bool was = indexed();
    epolls.emplace_back().place = place;
    const auto index = static_cast<uint32_t>(epolls.size() - 1);
    if (was) {
        by_id[place.epoll] = index;
    } else if (indexed()) {
        reindex();
    }
    return epolls.back();
}

void Runs::Process::remove(Epoll& epoll)
{
    if (auto at = numbers.find(epoll.place.epfd); at != numbers.end() && at->second == epoll.place.epoll)
        numbers.erase(at);
    if (!indexed()) {
        epolls.erase(epolls.begin() + (&epoll - epolls.data()));
        return;
    }
    by_id.erase(epoll.place.epoll);
    epoll.place.epoll = 0;
    epoll.keys.clear();
    if (++closed * 2 < epolls.size())
        return;
    std::erase_if(epolls, [](const Epoll& one) { return !one.place.epoll; });
    reindex();
}

void Runs::Process::reindex()
{
    closed = 0;
    unsettled.clear();
    by_fd.clear();
    by_id.clear();
    if (!indexed())
        return;
    for (Epoll& epoll : epolls) {
        by_id[epoll.place.epoll] = static_cast<uint32_t>(&epoll - epolls.data());
        epoll.unsettled = false;
        for (const Key& key : epoll.keys)
            started(epoll, key);
    }
}

void Runs::Process::started(Epoll& epoll, const Key& key)
{
    if (!indexed())
        return;
    const auto index = static_cast<uint32_t>(&epoll - epolls.data());
    if (key.candidate >= 0)
        insert_sorted(by_fd[key.candidate], index);
    if (!epoll.unsettled)
        unsettled.push_back(index);
    epoll.unsettled = true;
}

void Runs::Epoll::list()
{
    if (listed)
        return;
    listed = true;
    candidates.clear();
    loose.clear();
    for (const Key& key : keys) {
        if (!key.settled())
            loose.push_back(static_cast<uint32_t>(candidates.size()));
        candidates.push_back(key.candidate);
    }
}

// Does a call on another fd than its own say anything about this run?
bool Runs::Key::settled() const { return registered || contacts > 1 || (answered && other == -2); }

// Some are visited twice: what a touch does must not depend on it.
template <typename Visit>
void Runs::Process::visit(int fd, const Visit& one)
{
    if (!indexed()) {
        for (Epoll& epoll : epolls)
            one(epoll);
        return;
    }
    for (size_t i = 0; i < unsettled.size();) {
        Epoll& epoll = epolls[unsettled[i]];
        one(epoll);
        if (!std::all_of(epoll.keys.begin(), epoll.keys.end(),
                         [](const Key& key) { return key.settled() && !key.inner; })) {
            i++;
            continue;
        }
        epoll.unsettled = false;
        unsettled[i] = unsettled.back();
        unsettled.pop_back();
    }
    visit_by_fd(fd, one);
}

// Those with a key of this candidate, and perhaps some others.
template <typename Visit>
void Runs::Process::visit_by_fd(int fd, const Visit& one)
{
    if (!indexed()) {
        for (Epoll& epoll : epolls)
            one(epoll);
        return;
    }
    auto list = by_fd.find(fd);
    if (list == by_fd.end())
        return;
    std::erase_if(list->second, [&](uint32_t index) {
        Epoll& epoll = epolls[index];
        one(epoll);
        return std::none_of(epoll.keys.begin(), epoll.keys.end(), [&](const Key& key) { return key.candidate == fd; });
    });
}

// One of several epolls, if it just told the thread that makes this call of this fd, and of nothing else: then the call
// is about this event and says nothing about those of the others.
Runs::Epoll* Runs::told_of(Process& process, int fd)
{
    if (process.epolls.size() < 2 || fd <= 2 || user_ < 0)
        return nullptr;
    auto told = awaited_.find(static_cast<uint32_t>(user_));
    return told != awaited_.end() && told->second.fd == fd ? process.find(told->second.epoll) : nullptr;
}

// Was this fd told of together with others? A call on it is about its own event, and not about that of one whose own
// descriptor is used in the same turn.
bool Runs::told_beside(const Epoll& epoll, int fd)
{
    return epoll.keys.size() > 1 &&
           std::any_of(epoll.keys.begin(), epoll.keys.end(), [&](const Key& key) { return key.candidate == fd; });
}

void Runs::touch_inner(Epoll& epoll, int fd, uint32_t kind) const
{
    for (Key& key : epoll.keys)
        if (key.inner && (kind & (kTook | kGave | kServed | kErred | kChanged)) && interests_.member(key.inner, fd))
            key.answered = true;
}

// The fd that this key tells of was used.
void Runs::meant(Key& key, const Touch& t)
{
    key.contact = true;
    key.newest |= t.between;
    if (t.error)
        key.error = t.error;
    key.answered |= answers(t.kind, key.common);
}

// Another one was, or it is not known which this key tells of. Whatever a loop waits for, it writes its messages to the
// standard output and error, and looks into files that it opens for that.
void Runs::not_meant(Key& key, const Touch& t, bool beside)
{
    const bool message = (t.fd == 1 || t.fd == 2) && !(t.kind & kTook);
    key.busy |= (message && (t.kind & kGave)) || (t.fresh && (t.kind & kTook));
    if (t.fresh)
        return;
    if (t.fd > 2 || key.candidate == t.fd || (!message && (t.kind & (kTook | kGave))))
        (beside ? key.answered_beside : key.answered) |= may_answer(t.kind, key.common);
    key.other = key.other == -1 || key.other == t.fd ? t.fd : -2;
    key.other_now = true;
    key.other_newest |= t.between;
    if (t.error)
        key.other_error = t.error;
}

void Runs::touch_few(Epoll& epoll, const Touch& t, bool elsewhere, bool beside)
{
    for (Key& key : epoll.keys)
        if (key.candidate == t.fd && (key.registered || t.fd > 0))
            meant(key, t);
        else if (!elsewhere && !key.settled())
            not_meant(key, t, beside);
}

void Runs::touch_many(Epoll& epoll, const Touch& t, bool elsewhere, bool beside)
{
    epoll.list();
    const auto end = epoll.candidates.end();
    for (auto at = epoll.candidates.begin(); (at = std::find(at, end, t.fd)) != end; ++at)
        if (Key& key = epoll.keys[static_cast<size_t>(at - epoll.candidates.begin())]; key.registered || t.fd > 0)
            meant(key, t);
    if (elsewhere)
        return;
    for (size_t i = 0; i < epoll.loose.size();) {
        Key& key = epoll.keys[epoll.loose[i]];
        if (key.candidate != t.fd || t.fd <= 0)
            not_meant(key, t, beside);
        if (!key.settled()) {
            i++;
            continue;
        }
        epoll.loose[i] = epoll.loose.back();
        epoll.loose.pop_back();
    }
}

void Runs::touch(uint32_t pid, int fd, uint32_t kind, uint32_t between, int error)
{
    Process* user = process(pid);
    if (!user)
        return;
    user->touches++;
    const bool fresh = is_fresh(pid, fd);
    Epoll* const told = told_of(*user, fd);
    auto one = [&](Epoll& epoll) {
        if (!epoll.vanished.empty())
            std::erase_if(epoll.vanished, [&](const auto& gone) { return gone.second == fd; });
        if (epoll.has_inner)
            touch_inner(epoll, fd, kind);
        const Touch t{fd, kind, between, error, fresh};
        const bool elsewhere = told && told != &epoll;
        (epoll.keys.size() <= kFewKeys ? touch_few : touch_many)(epoll, t, elsewhere, told_beside(epoll, fd));
    };
    if (told) {
        one(*told);
        user->visit_by_fd(fd, one);
    } else {
        user->visit(fd, one);
    }
}

void Runs::polled(Process& process, int epfd, bool took)
{
    process.visit_by_fd(epfd, [&](Epoll& epoll) {
        for (Key& key : epoll.keys)
            if (key.candidate == epfd) {
                key.contact = true;
                key.answered |= took;
            }
    });
}

// The number leads elsewhere from now on. `closed_by`: the thread that closed it (0 in a log that does not tell threads
// apart); nothing: something new was opened under it.
void Runs::forget_number(uint32_t pid, int fd, std::optional<uint32_t> closed_by)
{
    asked_.erase({pid, fd});
    refused_.erase({pid, fd});
    Process* user = process(pid);
    if (!user)
        return;
    user->closes |= closed_by.has_value();
    if (user->epolls.size() <= interests_.holders(fd).size()) {
        for (const Epoll& epoll : user->epolls)
            interests_.close_number(epoll.place.epoll, fd, pid, closed_by);
    } else {
        const std::vector<uint64_t> ids = interests_.holders(fd);  // which closing changes
        for (uint64_t id : ids)
            if (user->find(id))
                interests_.close_number(id, fd, pid, closed_by);
    }
    touch(pid, fd, kChanged, 0, 0);
    if (closed_by)
        opened_.erase({pid, fd});
}

}  // namespace epaudit
