// SPDX-License-Identifier: Apache-2.0
#include "src/books/snapshot.h"

#include <algorithm>
#include <set>

#include "bpf/ledger_limits.h"

namespace epaudit {

const Neighbours& Snapshot::neighbours() const
{
    if (!made_.neighbours)
        made_.neighbours = std::make_unique<Neighbours>(entries);
    return *made_.neighbours;
}

const epoll_row* Snapshot::epoll(uint64_t id) const
{
    auto at = epolls.find(id);
    return at == epolls.end() ? nullptr : &at->second;
}

const thread_row* Snapshot::thread(uint32_t tid) const
{
    auto at = threads.find(tid);
    return at == threads.end() ? nullptr : &at->second;
}

std::vector<const Entry*> Snapshot::of_file(uint64_t file) const
{
    std::vector<const Entry*> found;
    for (uint32_t at : neighbours().of_file(file))
        found.push_back(&entries[at]);
    return found;
}

bool Snapshot::loop_idle(uint64_t epoll, uint64_t window) const
{
    bool known = false;
    for (const auto& [tid, row] : threads) {
        if (row.epoll != epoll)
            continue;
        // A wait with timeout 0 does not block: that thread is about to do something.
        bool blocked = row.waiting && row.timeout_ms != 0;
        uint64_t last = std::max(row.wait_at, row.return_at);
        if (!blocked && last + window >= time)
            return false;
        known = known || blocked;
    }
    return known;
}

std::vector<uint32_t> Snapshot::threads_away() const
{
    std::set<uint64_t> polled;
    for (const auto& [tid, row] : threads)
        if (row.waiting || !row.return_at || row.return_at + LEDGER_KEPT_NS > time)
            polled.insert(row.epoll);
    std::vector<uint32_t> found;
    for (const auto& [tid, row] : threads)
        if (!polled.count(row.epoll) && !row.stopped)
            found.push_back(tid);
    return found;
}

unsigned Snapshot::waiters(uint64_t epoll) const
{
    return static_cast<unsigned>(std::count_if(threads.begin(), threads.end(), [epoll](const auto& thread) {
        return thread.second.epoll == epoll && thread.second.waiting;
    }));
}

bool Snapshot::stopped(uint32_t tgid) const
{
    auto at = processes.find(tgid);
    if (at != processes.end() && at->second.state == RunState::kStopped)
        return true;
    return std::any_of(threads.begin(), threads.end(),
                       [tgid](const auto& t) { return t.second.tgid == tgid && t.second.stopped; });
}

}  // namespace epaudit
