// SPDX-License-Identifier: Apache-2.0
#include "src/audit/historian.h"

#include <algorithm>

namespace epaudit {
namespace {

constexpr size_t kSamples = 240;
constexpr size_t kLoops = 256;  // remembered, dead ones included
constexpr size_t kLoopsTold = 16;
constexpr size_t kWaits = 4096;
constexpr size_t kThreads = 4096;

double since(uint64_t then, uint64_t began)
{
    return static_cast<double>(static_cast<int64_t>(then - began)) / NSEC_PER_SEC;
}

// A counter may only be behind when the row is another one.
uint64_t grown(uint64_t now, uint64_t then) { return now >= then ? now - then : now; }

RateSample sum(const RateSample& a, const RateSample& b)
{
    return {b.t,
            a.seconds + b.seconds,
            a.returns + b.returns,
            a.futile + b.futile,
            a.events + b.events,
            a.timeouts + b.timeouts};
}

}  // namespace

Work work_of(const Snapshot& books)
{
    auto calls = [&](posting_kind kind) { return books.stats[static_cast<size_t>(STAT_CALLS) + kind]; };
    return {books.stats[STAT_REQUESTS], calls(POSTING_RETURN), books.stats[STAT_IO],
            calls(POSTING_ADD) + calls(POSTING_MOD) + calls(POSTING_DEL)};
}

void Historian::look(const Snapshot& books)
{
    RateSample sample;
    sample.t = since(books.time, books.began);
    sample.seconds = since(books.time, last_ ? last_ : books.began);
    last_ = books.time;
    look_at_loops(books, sample);
    look_at_threads(books);
    look_ = sample;
    if (sample.seconds > 0)
        add(sample);
}

void Historian::look_at_loops(const Snapshot& books, RateSample& sample)
{
    for (auto& [id, known] : loops_)
        known.alive = false;
    for (const auto& [id, row] : books.epolls) {
        auto [at, fresh] = loops_.try_emplace(id);
        LoopStats& loop = at->second.loop;
        const epoll_row then = !fresh && loop.row.created_at == row.created_at ? loop.row : epoll_row{};
        sample.returns += grown(row.returns, then.returns);
        sample.futile += grown(row.futile_returns, then.futile_returns);
        sample.events += grown(row.events, then.events);
        sample.timeouts += grown(row.timeouts, then.timeouts);
        loop.row = row;
        loop.pid = row.tgid;
        if (row.fd >= 0)
            loop.fd = row.fd;
        if (auto process = books.processes.find(row.tgid); process != books.processes.end())
            loop.comm = process->second.comm;
        at->second.alive = true;
    }
    // A program that makes and closes epolls all day: only the busiest of its dead ones are told of.
    while (loops_.size() > kLoops) {
        auto idlest = loops_.end();
        for (auto at = loops_.begin(); at != loops_.end(); ++at)
            if (!at->second.alive &&
                (idlest == loops_.end() || at->second.loop.row.returns < idlest->second.loop.row.returns))
                idlest = at;
        if (idlest == loops_.end())
            return;
        loops_.erase(idlest);
    }
}

size_t Historian::new_slice(const WaitSlice& slice)
{
    const size_t at = next_wait_++ % kWaits;
    if (at < waits_.size())
        waits_[at] = slice;
    else
        waits_.push_back(slice);
    return at;
}

void Historian::look_at_threads(const Snapshot& books)
{
    if (newest_.size() > kThreads)
        newest_.clear();
    for (const auto& [tid, row] : books.threads) {
        if (!row.wait_at)
            continue;
        const bool ended = !row.waiting && row.return_at >= row.wait_at;
        if (!row.waiting && !ended)
            continue;
        const epoll_row* epoll = books.epoll(row.epoll);
        WaitSlice slice{row.tgid,
                        tid,
                        epoll ? epoll->fd : -1,
                        since(row.wait_at, books.began),
                        since(ended ? row.return_at : books.time, books.began),
                        ended};
        Newest& newest = newest_[tid];
        if (newest.wait_at != row.wait_at)
            newest = {row.wait_at, new_slice(slice)};
        else if (waits_[newest.slice].tid == tid && waits_[newest.slice].begin == slice.begin)  // not overwritten
            waits_[newest.slice] = slice;
    }
}

void Historian::add(const RateSample& sample)
{
    pending_ = pending_looks_ ? sum(pending_, sample) : sample;
    if (++pending_looks_ < looks_per_sample_)
        return;
    samples_.push_back(pending_);
    pending_looks_ = 0;
    if (samples_.size() < kSamples)
        return;
    for (size_t i = 0; i < kSamples / 2; i++)
        samples_[i] = sum(samples_[2 * i], samples_[2 * i + 1]);
    samples_.resize(kSamples / 2);
    looks_per_sample_ *= 2;
}

History Historian::history() const
{
    History history;
    history.samples = samples_;
    if (pending_looks_)
        history.samples.push_back(pending_);
    for (const auto& [id, known] : loops_)
        history.loops.push_back(known.loop);
    std::stable_sort(history.loops.begin(), history.loops.end(),
                     [](const LoopStats& a, const LoopStats& b) { return a.row.returns > b.row.returns; });
    if (history.loops.size() > kLoopsTold)
        history.loops.resize(kLoopsTold);
    history.waits = waits_;
    std::stable_sort(history.waits.begin(), history.waits.end(),
                     [](const WaitSlice& a, const WaitSlice& b) { return a.begin < b.begin; });
    return history;
}

}  // namespace epaudit
