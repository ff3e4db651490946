// SPDX-License-Identifier: Apache-2.0
#include "src/strace/runs.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bpf/ledger_limits.h"

namespace epaudit {
namespace {

constexpr size_t kMostKeys = 64;  // of one epoll, reported and not answered
constexpr size_t kMostBest = 4096;
constexpr uint64_t kFewestToTell = 2;           // shorter ones are nothing
constexpr uint64_t kFewestInARow = 10;          // a run of so many is none by accident
constexpr int64_t kSlept = 20 * NSEC_PER_MSEC;  // a wait that took so long found nothing ready when it began

}  // namespace

Runs::Process* Runs::process(uint32_t pid)
{
    auto at = processes_.find(pid);
    return at == processes_.end() ? nullptr : &at->second;
}

Runs::Epoll& Runs::at(Process& process, const LogPlace& place)
{
    Epoll* epoll = process.find(place.epoll);
    if (!epoll || epoll->place.epfd != place.epfd)
        process.numbers[place.epfd] = place.epoll;
    if (!epoll)
        return process.add(place);
    epoll->place = place;
    return *epoll;
}

Runs::Key* Runs::find(Epoll& epoll, uint64_t data)
{
    for (Key& key : epoll.keys)
        if (key.data == data)
            return &key;
    return nullptr;
}

void Runs::start(const Process& process, const Epoll& epoll, Key& key, const PrintedEvent& event, uint64_t time)
{
    key = {};
    key.handoffs = process.handoffs;
    key.data = event.data;
    key.candidate = fd_in_data(event.data);
    const auto about = interests_.find(epoll.place.epoll, event.data);
    if (about && (about->member || about->closed_in == epoll.place.pid)) {
        key.candidate = about->fd;
        key.registered = about->member;
        key.closed = !about->member;
        key.mask = about->member ? about->member->mask : 0;
        key.elsewhere = about->member && about->member->pid != epoll.place.pid;
    }
    if (key.candidate > 0)
        if (auto inner = process.numbers.find(key.candidate);
            inner != process.numbers.end() && inner->second != epoll.place.epoll)
            key.inner = inner->second;
    key.common = event.events;
    key.count = 1;
    key.from = key.last = time;
}

void Runs::keep(const LogRun& run)
{
    auto where = std::make_tuple(run.epoll, run.file, static_cast<uint8_t>(run.cause));
    auto at = best_.find(where);
    if (at == best_.end()) {
        if (best_.size() >= kMostBest)
            return;
        at = best_.emplace(where, run).first;
    }
    LogRun& best = at->second;
    const uint64_t in_all = best.in_all + (run.returns >= kFewestInARow && !run.doubt ? run.returns : 0);
    if (run.returns > best.returns || (best.doubt && !run.doubt))
        best = run;
    best.in_all = static_cast<uint32_t>(std::min<uint64_t>(in_all, UINT32_MAX));
}

// `over`: it ended because something was done.
void Runs::end(const Epoll& epoll, const Key& key, bool over)
{
    if (key.count < kFewestToTell)
        return;
    LogRun run = describe(epoll, key);
    run.ended = over;
    if (run.cause != LogRun::Cause::kNone)
        keep(run);
}

// With timeout 0, and nothing there.
void Runs::zero(const Process& process, Epoll& epoll, const Return& how)
{
    if (epoll.quiet != process.touches)
        epoll.zeros = 0;
    epoll.quiet = process.touches;
    epoll.zeros = how.result == 0 && how.timeout == 0 ? epoll.zeros + 1 : 0;
    if (epoll.zeros < kFewestToTell)
        return;
    LogRun run;
    run.epoll = epoll.place.epoll;
    run.epfd = epoll.place.epfd;
    run.pid = epoll.place.pid;
    run.cause = LogRun::Cause::kZero;
    run.returns = epoll.zeros;
    keep(run);
}

// At its end and level-triggered, and yet this return does not tell of it. What is done about it until it is told of
// again takes it off the list: see touch().
void Runs::vanish(const Process& process, Epoll& epoll, const Key& key, const Return& how)
{
    constexpr size_t kMost = 16;
    if (process.closes && !process.indexed() && how.whole && !key.answered && key.candidate > 0 &&
        ((key.between | key.newest) & BETWEEN_READ_EOF) &&
        !((key.between | key.newest) & (BETWEEN_MOD | BETWEEN_MOD_SAME)) &&
        !(key.registered && (key.mask & (EV_ET | EV_ONESHOT))) && epoll.vanished.size() < kMost)
        epoll.vanished[key.data] = key.candidate;
}

uint32_t Runs::contradictions(uint32_t pid) const
{
    auto at = processes_.find(pid);
    return at == processes_.end() ? 0 : at->second.contradictions;
}

void Runs::forget_contradictions(uint32_t pid)
{
    if (Process* of = process(pid))
        of->contradictions = 0;
}

// Those that this return would have told of, had they been there.
void Runs::end_absent(const Process& process, Epoll& epoll, const std::vector<PrintedEvent>& events, const Return& how)
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
        vanish(process, epoll, key, how);
        key = epoll.keys.back();
        epoll.keys.pop_back();
    }
}

void Runs::count(Process& process, Epoll& epoll, const PrintedEvent& event, bool alone, const Return& how)
{
    Key* key = find(epoll, event.data);
    if (!key && epoll.keys.size() >= kMostKeys)
        return;
    const bool over = key && (key->is_answered() || !(key->common & event.events));
    if (!key || over) {
        if (over)
            end(epoll, *key, true);
        else
            key = &epoll.keys.emplace_back();
        start(process, epoll, *key, event, how.time);
        epoll.has_inner |= key->inner != 0;
        if (!epoll.vanished.empty())
            process.contradictions += static_cast<uint32_t>(epoll.vanished.erase(event.data));
        process.started(epoll, *key);
        key->turns_alone = alone;
        return;
    }
    key->equal &= event.events == key->common && alone;
    key->common &= event.events;
    key->between |= std::exchange(key->newest, 0);
    key->other_between |= std::exchange(key->other_newest, 0);
    key->count++;
    key->timed += how.duration >= 0;
    key->slept += how.duration >= static_cast<int64_t>(kAtOnce);
    key->last = how.time;
    key->contacts += key->contact;
    key->others += key->other_now;
    key->contact = key->other_now = key->answered_beside = key->struck = false;
    key->turns_alone &= alone;
}

void Runs::returned(const LogPlace& place, const std::vector<PrintedEvent>& events, const Return& how)
{
    const bool at_once = how.timeout == 0 || (how.duration >= 0 && how.duration < static_cast<int64_t>(kAtOnce));
    stalls_.returned(
        place, events,
        {at_once, !how.whole, timed_ ? how.time : 0, how.duration > 0 ? static_cast<uint64_t>(how.duration) : 0});
    waits_++;
    if (how.result < 0)  // interrupted
        return;
    Process& process = processes_[place.pid];
    if (place.epfd > 0)  // one epoll may be inside another: this is how its events are taken
        polled(process, place.epfd, how.result > 0);
    Epoll& epoll = at(process, place);
    epoll.listed = false;
    turns_ += std::exchange(epoll.told, true);
    zero(process, epoll, how);
    end_absent(process, epoll, events, how);
    const bool alone = events.size() == 1;
    uint64_t unprinted = events.empty() ? static_cast<uint64_t>(how.result) : 0;  // as an address, or as "[...]"
    for (const PrintedEvent& event : events)
        if (event.data_known)
            count(process, epoll, event, alone, how);
        else  // whose it is was made unreadable: "{u32=X, u64=X}"
            unprinted++;
    open_ += unprinted;
    unprinted_ += unprinted;
    awaited_[place.tid] = {alone && events[0].data_known ? fd_in_data(events[0].data) : -1, true, place.epoll};
}

// Nothing more will come: the runs stand as they are. What answers the last return takes nothing from those before it.
void Runs::cut_off(const Epoll& epoll)
{
    for (const Key& key : epoll.keys)
        end(epoll, key, key.is_over());
}

void Runs::gone(uint32_t pid)
{
    asked_.erase(asked_.lower_bound({pid, 0}), asked_.lower_bound({pid + 1, 0}));
    opened_.erase(opened_.lower_bound({pid, 0}), opened_.lower_bound({pid + 1, 0}));
    const Process* ended = process(pid);
    if (!ended)
        return;
    for (const Epoll& epoll : ended->epolls)
        cut_off(epoll);
    processes_.erase(pid);
}

void Runs::epoll_closed(uint64_t id)
{
    interests_.forget(id);
    for (auto& [pid, process] : processes_)
        if (Epoll* closed = process.find(id)) {
            turns_ += closed->told;
            cut_off(*closed);
            process.remove(*closed);
        }
}

int Runs::refused(int& error) const
{
    if (refused_.empty())
        return -1;
    error = refused_.begin()->second;
    return refused_.begin()->first.second;
}

void Runs::controlled(const LogPlace& place, int fd, bool del, const PrintedEvent& event, int64_t result)
{
    user_ = -1;
    if (result == -ERRNO_EBADF) {
        touch(place.pid, fd, kLooked, BETWEEN_DEL_FAILED, 0);
        return;
    }
    if (result == -ENOSPC || result == -ENOMEM)
        refused_[{place.pid, fd}] = static_cast<int>(-result);
    if (result < 0)
        return;
    refused_.erase({place.pid, fd});
    Epoll& epoll = at(processes_[place.pid], place);
    const LogInterests::Member* member = interests_.member(place.epoll, fd);
    const uint32_t old = member ? member->mask : 0;
    if (!del && event.data_known) {
        interests_.enrol(place.epoll, fd, {event.data, event.events, place.pid, place.tid});
        if (Key* key = find(epoll, event.data); key && key->candidate == fd)
            key->mask = event.events;
    } else if (del) {
        interests_.strike(place.epoll, fd);
    }
    for (Key& key : epoll.keys)
        if (key.candidate == fd)
            key.struck = del;
    touch(place.pid, fd, kLooked, del || old != event.events ? BETWEEN_MOD : BETWEEN_MOD_SAME, 0);
}

}  // namespace epaudit
