// SPDX-License-Identifier: Apache-2.0
#include "rules/passing.h"

#include <algorithm>

#include "bpf/types.h"

namespace epaudit {
namespace {

constexpr size_t kMostEpolls = 4096;
constexpr uint64_t kSeveral = 3;
constexpr double kShare = 0.05;

uint64_t began(const Entry& entry) { return entry.registration.added_at ? entry.registration.added_at : entry.runs.at; }

}  // namespace

bool Passed::is_habit(const Snapshot& books) const
{
    return ones >= kSeveral && books.times_known && books.time > since &&
           static_cast<double>(ns) >= kShare * static_cast<double>(books.time - since);
}

void Passing::add(Passed& sum, const Entry& entry)
{
    const run_row& runs = entry.runs;
    if (!sum.ones) {
        sum.example = entry;
        sum.since = began(entry);
    }
    sum.ones++;
    // In the order of their ends: what another one has covered is not counted again.
    const uint64_t from = std::max(sum.covered_to, std::min(began(entry), runs.last_at));
    const uint64_t fresh = runs.last_at > from ? std::min(runs.futile_ns, runs.last_at - from) : 0;
    const double share = static_cast<double>(fresh) / static_cast<double>(runs.futile_ns);
    sum.ns += fresh;
    sum.returns += static_cast<double>(runs.futile) * share;
    sum.cpu_ns += static_cast<uint64_t>(static_cast<double>(runs.futile_cpu) * share);
    sum.since = std::min(sum.since, began(entry));
    sum.covered_to = std::max(sum.covered_to, runs.last_at);
}

void Passing::note(const Entry& entry)
{
    const uint64_t epoll = entry.key.epoll;
    if (!has_runs(entry))
        return;
    if (!entry.buried)
        living_[epoll].push_back(&entry);
    else if (dead_.size() < kMostEpolls || dead_.count(epoll))
        add(dead_[epoll], entry);
}

bool Passing::has_runs(const Entry& entry) { return entry.key.epoll && entry.runs.futile_ns && entry.runs.last_at; }

std::vector<Passed> Passing::sums(const Snapshot& books)
{
    for (auto& [epoll, entries] : living_)
        dead_.try_emplace(epoll);
    std::vector<Passed> all;
    for (const auto& [epoll, dead] : dead_) {
        Passed sum = dead;
        std::vector<const Entry*>& living = living_[epoll];
        std::sort(living.begin(), living.end(),
                  [](const Entry* a, const Entry* b) { return a->runs.last_at < b->runs.last_at; });
        for (const Entry* entry : living)
            add(sum, *entry);
        all.push_back(sum);
    }
    // Another epoll may come to lie where one was that is gone.
    std::erase_if(dead_, [&](const auto& known) { return !known.second.ones || !books.epoll(known.first); });
    return all;
}

}  // namespace epaudit
