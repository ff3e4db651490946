// SPDX-License-Identifier: Apache-2.0
#include "rules/passing.h"

#include <algorithm>

#include "bpf/types.h"

namespace epaudit {
namespace {

constexpr size_t kMostEpolls = 4096;
constexpr uint64_t kSeveral = 3;
constexpr double kShare = 0.05;

uint64_t began(const registration_row& r) { return r.added_at ? r.added_at : r.run_at; }

}  // namespace

bool Passed::is_habit(const Snapshot& books) const
{
    return ones >= kSeveral && books.times_known && books.time > since &&
           static_cast<double>(ns) >= kShare * static_cast<double>(books.time - since);
}

void Passing::add(Passed& sum, const Entry& entry)
{
    const registration_row& r = entry.registration;
    if (!sum.ones) {
        sum.example = entry;
        sum.since = began(r);
    }
    sum.ones++;
    // In the order of their ends: what another one has covered is not counted again.
    const uint64_t from = std::max(sum.covered_to, std::min(began(r), r.run_last_at));
    const uint64_t fresh = r.run_last_at > from ? std::min(r.futile_ns, r.run_last_at - from) : 0;
    const double share = static_cast<double>(fresh) / static_cast<double>(r.futile_ns);
    sum.ns += fresh;
    sum.returns += static_cast<double>(r.futile) * share;
    sum.cpu_ns += static_cast<uint64_t>(static_cast<double>(r.futile_cpu) * share);
    sum.since = std::min(sum.since, began(r));
    sum.covered_to = std::max(sum.covered_to, r.run_last_at);
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

bool Passing::has_runs(const Entry& entry)
{
    return entry.key.epoll && entry.registration.futile_ns && entry.registration.run_last_at;
}

std::vector<Passed> Passing::sums(const Snapshot& books)
{
    for (auto& [epoll, entries] : living_)
        dead_.try_emplace(epoll);
    std::vector<Passed> all;
    for (const auto& [epoll, dead] : dead_) {
        Passed sum = dead;
        std::vector<const Entry*>& living = living_[epoll];
        std::sort(living.begin(), living.end(), [](const Entry* a, const Entry* b) {
            return a->registration.run_last_at < b->registration.run_last_at;
        });
        for (const Entry* entry : living)
            add(sum, *entry);
        all.push_back(sum);
    }
    // Another epoll may come to lie where one was that is gone.
    std::erase_if(dead_, [&](const auto& known) { return !known.second.ones || !books.epoll(known.first); });
    return all;
}

}  // namespace epaudit
