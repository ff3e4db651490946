// SPDX-License-Identifier: Apache-2.0
#include "src/books/snapshot.h"

#include <set>

#include "bpf/ledger_limits.h"

namespace epaudit {

const Neighbours& Snapshot::neighbours() const
{
    if (!made_.neighbours)
        made_.neighbours = std::make_unique<Neighbours>(entries);
    return *made_.neighbours;
}

const Loops& Snapshot::loops() const
{
    if (!made_.loops)
        made_.loops = std::make_unique<Loops>(threads);
    return *made_.loops;
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
    for (const Neighbours::Place& place : neighbours().of_file(file))
        found.push_back(&entries[place.at]);
    return found;
}

bool Snapshot::loop_idle(uint64_t epoll, uint64_t window) const
{
    const Loop& loop = loops().of(epoll);
    return loop.blocked && !(loop.awake && loop.awake_at + window >= time);
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

unsigned Snapshot::waiters(uint64_t epoll) const { return loops().of(epoll).waiting; }

bool Snapshot::stopped(uint32_t tgid) const
{
    auto at = processes.find(tgid);
    if (at != processes.end() && at->second.state == RunState::kStopped)
        return true;
    return loops().stopped(tgid);
}

}  // namespace epaudit
