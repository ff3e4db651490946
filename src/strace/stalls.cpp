// SPDX-License-Identifier: Apache-2.0
#include "src/strace/stalls.h"

#include <algorithm>

#include "bpf/ledger_limits.h"

namespace epaudit {
namespace {

constexpr size_t kMostTouched = 256;  // then the turn proves nothing
constexpr size_t kFewestClients = 2;

}  // namespace

// Data with a small number in the lower half and something above: a generation, or memory nobody cleared. Pointers
// have large lower halves, or are even and above 2^32.
int fd_in_data(uint64_t data)
{
    if (data < kSmallData)
        return static_cast<int>(data);
    const uint64_t low = data & 0xffffffff;
    return low < 65536 && (data >> 32) != 0 ? static_cast<int>(low) : -1;
}

LogStalls::Thread* LogStalls::known(uint32_t tid)
{
    auto at = threads_.find(tid);
    return at == threads_.end() ? nullptr : &at->second;
}

// Did this input come while the thread slept? Not when it was left over by the thread itself, nor when it may answer
// what was done since.
bool LogStalls::fresh(const Thread& thread, const PrintedEvent& event)
{
    if (!event.data_known || !(event.events & (EV_IN | EV_RDNORM)) || (event.events & (EV_HUP | EV_ERR | EV_RDHUP)))
        return false;
    const int fd = fd_in_data(event.data);
    const bool touched = fd < 0 ? !thread.touched.empty()
                                : std::find(thread.touched.begin(), thread.touched.end(), fd) != thread.touched.end();
    if (touched || thread.touched.size() >= kMostTouched)
        return false;
    auto told = std::find_if(thread.told.begin(), thread.told.end(),
                             [&](const Told& one) { return one.data == event.data; });
    return told == thread.told.end() ? !thread.full : told->drained;
}

void LogStalls::returned(const LogPlace& at, const std::vector<PrintedEvent>& events, const Return& how)
{
    Thread& thread = threads_[at.tid];
    const uint64_t began = how.time > how.took ? how.time - how.took : 0;
    const uint64_t away = thread.returned && began > thread.returned ? began - thread.returned : 0;
    // A short sleep explains little of a long handler.
    const bool explained = thread.ns * 2 >= std::max(thread.spent, away);
    if (thread.ns && thread.epoll == at.epoll && at.sole && how.at_once && explained) {
        const auto clients = static_cast<uint64_t>(std::count_if(
            events.begin(), events.end(), [&](const PrintedEvent& event) { return fresh(thread, event); }));
        if (clients >= kFewestClients) {
            LogRun& stall = found_[at.epoll];
            stall.epoll = at.epoll;
            stall.epfd = at.epfd;
            stall.pid = at.pid;
            stall.cause = LogRun::Cause::kStall;
            stall.returns++;
            stall.of = clients;
            stall.ns += thread.ns;
            if (thread.ns > stall.longest) {
                stall.longest = thread.ns;
                stall.call = thread.call;
            }
        }
    }
    if (!at.sole)
        found_.erase(at.epoll);
    thread.epoll = at.epoll;
    thread.call = -1;
    thread.ns = thread.spent = 0;
    thread.full = how.full;
    thread.returned = how.time;
    thread.touched.clear();
    thread.told.clear();
    for (const PrintedEvent& event : events)
        if (event.data_known)
            thread.told.push_back({event.data, false});
}

void LogStalls::slept(uint32_t tid, int number, uint64_t ns)
{
    Thread* thread = known(tid);
    if (!thread || number < 0)
        return;
    thread->touched.clear();
    if (ns > thread->ns) {
        thread->ns = ns;
        thread->call = number;
    }
}

void LogStalls::spent(uint32_t tid, uint64_t ns)
{
    if (Thread* thread = known(tid))
        thread->spent += ns;
}

void LogStalls::used(uint32_t tid, int fd, Use use)
{
    Thread* thread = known(tid);
    if (!thread)
        return;
    if (thread->ns && thread->touched.size() < kMostTouched)
        thread->touched.push_back(fd);
    if (use == Use::kOther)
        return;
    for (Told& one : thread->told)
        if (fd_in_data(one.data) == fd)
            one.drained = use == Use::kDrained;
}

}  // namespace epaudit
