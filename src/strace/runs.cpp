// SPDX-License-Identifier: Apache-2.0
#include "src/strace/runs.h"

#include <algorithm>

#include "bpf/ledger_limits.h"

namespace epaudit {
namespace {

constexpr size_t kMostKeys = 64;  // of one epoll, reported and not answered
constexpr size_t kMostBest = 4096;
constexpr uint64_t kFewest = 2;  // shorter ones are nothing
constexpr uint64_t kAtOnce = NSEC_PER_MSEC;
constexpr int64_t kSlept = 20 * NSEC_PER_MSEC;  // a wait that took so long found nothing ready when it began
constexpr uint32_t kInput = EV_IN | EV_RDNORM | EV_PRI;

bool answers(uint32_t touch, uint32_t events)
{
    if (touch & kChanged)
        return true;
    if (!(events & ~(EV_HUP | EV_ERR)))
        return false;
    return touch & (kTook | kGave);
}

// The same for a call on another fd than the one that is meant, if it is not certain which one is.
bool may_answer(uint32_t touch, uint32_t events)
{
    return ((touch & kTook) && (events & kInput)) || ((touch & kGave) && (events & EV_OUT)) || (touch & kChanged);
}

}  // namespace

void Runs::Interest::erase(int fd)
{
    auto at = members.find(fd);
    if (at == members.end())
        return;
    by_data.erase(at->second.data);
    members.erase(at);
}

Runs::Epoll& Runs::at(const LogPlace& place)
{
    Epolls& epolls = processes_[place.pid];
    for (Epoll& epoll : epolls)
        if (epoll.place.epoll == place.epoll) {
            epoll.place = place;
            return epoll;
        }
    epolls.emplace_back();
    epolls.back().place = place;
    return epolls.back();
}

Runs::Key* Runs::find(Epoll& epoll, uint64_t data)
{
    for (Key& key : epoll.keys)
        if (key.data == data)
            return &key;
    return nullptr;
}

void Runs::start(const Epoll& epoll, Key& key, const PrintedEvent& event, uint64_t time)
{
    key = {};
    key.data = event.data;
    key.candidate = fd_in_data(event.data);
    if (auto interest = interests_.find(epoll.place.epoll); interest != interests_.end()) {
        const Interest& list = interest->second;
        auto fd = list.by_data.find(event.data);
        auto member = fd == list.by_data.end() ? list.members.end() : list.members.find(fd->second);
        if (member != list.members.end() && member->second.data == event.data) {
            key.candidate = member->first;
            key.registered = true;
            key.mask = member->second.mask;
        }
    }
    key.common = event.events;
    key.count = 1;
    key.from = key.last = time;
}

void Runs::keep(const LogRun& run)
{
    auto where = std::make_tuple(run.epoll, run.file, static_cast<uint8_t>(run.cause));
    auto at = best_.find(where);
    if (at == best_.end()) {
        if (best_.size() < kMostBest)
            best_.emplace(where, run);
    } else if (run.returns > at->second.returns || (at->second.doubt && !run.doubt)) {
        at->second = run;
    }
}

// `over`: it ended because something was done.
void Runs::end(const Epoll& epoll, const Key& key, bool over)
{
    if (key.count < kFewest)
        return;
    LogRun run = describe(epoll, key);
    run.ended = over;
    if (run.cause != LogRun::Cause::kNone)
        keep(run);
}

// With timeout 0, and nothing there.
void Runs::zero(Epoll& epoll, const Return& how)
{
    epoll.zeros = how.result == 0 && how.timeout == 0 ? epoll.zeros + 1 : 0;
    if (epoll.zeros < kFewest)
        return;
    LogRun run;
    run.epoll = epoll.place.epoll;
    run.epfd = epoll.place.epfd;
    run.pid = epoll.place.pid;
    run.cause = LogRun::Cause::kZero;
    run.returns = epoll.zeros;
    keep(run);
}

// Those that this return would have told of, had they been there.
void Runs::end_absent(Epoll& epoll, const std::vector<PrintedEvent>& events, const Return& how)
{
    for (size_t i = 0; i < epoll.keys.size();) {
        Key& key = epoll.keys[i];
        const bool there = std::any_of(events.begin(), events.end(), [&](const PrintedEvent& event) {
            return event.data_known && event.data == key.data;
        });
        (key.answered || key.contact ? answered_ : key.registered ? silent_ : open_)++;
        if ((there || !how.whole) && how.duration <= kSlept) {
            i++;
            continue;
        }
        end(epoll, key, true);
        key = std::move(epoll.keys.back());
        epoll.keys.pop_back();
    }
}

void Runs::count(Epoll& epoll, const PrintedEvent& event, bool alone, uint64_t time)
{
    Key* key = find(epoll, event.data);
    if (!key && epoll.keys.size() >= kMostKeys)
        return;
    const bool over = key && (key->answered || !(key->common & event.events));
    if (!key || over) {
        if (over)
            end(epoll, *key, true);
        else
            key = &epoll.keys.emplace_back();
        start(epoll, *key, event, time);
        key->turns_alone = alone;
        return;
    }
    key->equal &= event.events == key->common && alone;
    key->common &= event.events;
    key->count++;
    key->last = time;
    key->contacts += key->contact;
    key->others += key->other_now;
    key->contact = key->other_now = false;
    key->turns_alone &= alone;
}

void Runs::returned(const LogPlace& place, const std::vector<PrintedEvent>& events, const Return& how)
{
    const bool at_once = how.timeout == 0 || (how.duration >= 0 && how.duration < static_cast<int64_t>(kAtOnce));
    stalls_.returned(place, events, at_once, !how.whole);
    if (how.result < 0)  // interrupted
        return;
    if (place.epfd > 0)  // one epoll may be inside another: this is how its events are taken
        polled(place.pid, place.epfd, how.result > 0);
    Epoll& epoll = at(place);
    zero(epoll, how);
    end_absent(epoll, events, how);
    const bool alone = events.size() == 1;
    for (const PrintedEvent& event : events)
        if (event.data_known)
            count(epoll, event, alone, how.time);
    awaited_[place.tid] = {alone && events[0].data_known ? fd_in_data(events[0].data) : -1, true};
}

void Runs::touch(uint32_t pid, int fd, uint32_t kind, uint32_t between, int error)
{
    auto process = processes_.find(pid);
    if (process == processes_.end())
        return;
    for (Epoll& epoll : process->second) {
        epoll.zeros = 0;
        for (Key& key : epoll.keys) {
            if (key.candidate == fd && (key.registered || fd > 0)) {
                key.contact = true;
                key.between |= between;
                if (error)
                    key.error = error;
                key.answered |= answers(kind, key.common);
                continue;
            }
            if (key.registered || key.contacts > 1)
                continue;
            if (fd > 2)
                key.answered |= may_answer(kind, key.common);
            key.other = key.other == -1 || key.other == fd ? fd : -2;
            key.other_now = true;
            key.other_between |= between;
            if (error)
                key.other_error = error;
        }
    }
}

void Runs::polled(uint32_t pid, int epfd, bool took)
{
    auto process = processes_.find(pid);
    if (process == processes_.end())
        return;
    for (Epoll& epoll : process->second)
        for (Key& key : epoll.keys)
            if (key.candidate == epfd) {
                key.contact = true;
                key.answered |= took;
            }
}

// The number leads elsewhere from now on.
void Runs::forget_number(uint32_t pid, int fd)
{
    auto process = processes_.find(pid);
    if (process == processes_.end())
        return;
    for (const Epoll& epoll : process->second)
        if (auto interest = interests_.find(epoll.place.epoll); interest != interests_.end())
            interest->second.erase(fd);
    touch(pid, fd, kChanged, 0, 0);
}

// Nothing more will come: the runs that nobody has answered stand as they are.
void Runs::cut_off(const Epoll& epoll)
{
    for (const Key& key : epoll.keys)
        if (!key.answered)
            end(epoll, key, false);
}

void Runs::gone(uint32_t pid)
{
    auto process = processes_.find(pid);
    if (process == processes_.end())
        return;
    for (const Epoll& epoll : process->second)
        cut_off(epoll);
    processes_.erase(process);
}

void Runs::epoll_closed(uint64_t id)
{
    interests_.erase(id);
    for (auto& [pid, epolls] : processes_) {
        auto closed = std::find_if(epolls.begin(), epolls.end(),
                                   [&](const Epoll& epoll) { return epoll.place.epoll == id; });
        if (closed == epolls.end())
            continue;
        cut_off(*closed);
        epolls.erase(closed);
    }
}

void Runs::controlled(const LogPlace& place, int fd, bool del, const PrintedEvent& event, int64_t result)
{
    if (result == -ERRNO_EBADF) {
        touch(place.pid, fd, kLooked, BETWEEN_DEL_FAILED, 0);
        return;
    }
    if (result < 0)
        return;
    Epoll& epoll = at(place);
    Interest& interest = interests_[place.epoll];
    auto member = interest.members.find(fd);
    const uint32_t old = member == interest.members.end() ? 0 : member->second.mask;
    if (del || event.data_known)
        interest.erase(fd);
    if (!del && event.data_known) {
        interest.members[fd] = {event.data, event.events};
        interest.by_data[event.data] = fd;
        if (Key* key = find(epoll, event.data); key && key->candidate == fd)
            key->mask = event.events;
    }
    touch(place.pid, fd, kLooked, del || old != event.events ? BETWEEN_MOD : BETWEEN_MOD_SAME, 0);
}

}  // namespace epaudit
