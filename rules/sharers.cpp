// SPDX-License-Identifier: Apache-2.0
#include "rules/sharers.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "rules/evidence.h"
#include "src/books/describe.h"

namespace epaudit {
namespace {

constexpr size_t kMostNamed = 8;

bool shares_data(const Entry& entry) { return entry.registration.flags & REGISTRATION_SHARED; }

}  // namespace

void name_candidates(Finding& finding, const std::vector<const Entry*>& candidates)
{
    std::string names;
    for (const Entry* one : std::span(candidates).first(std::min(candidates.size(), kMostNamed)))
        names += fmt::format("{}{} fd {}", names.empty() ? "" : ", ", kind_name(one->file.kind), one->key.fd);
    if (candidates.size() > kMostNamed)
        names += fmt::format(" and {} more", candidates.size() - kMostNamed);
    finding.fd = {};
    add_fact(finding, "which fd",
             fmt::format("not known: {} have the same data, {:#x}", names, candidates.front()->registration.data));
}

const std::vector<const Entry*>& Sharers::of(const Entry& entry)
{
    static const std::vector<const Entry*> kNone;
    if (!shares_data(entry))
        return kNone;
    if (!std::exchange(counted_, true))
        count();
    return groups_[{entry.key.epoll, entry.registration.data, entry.buried}];
}

void Sharers::count()
{
    for (const std::vector<Entry>* entries : {&books_.entries, &books_.buried})
        for (const Entry& one : *entries)
            if (shares_data(one))
                groups_[{one.key.epoll, one.registration.data, one.buried}].push_back(&one);
    for (auto& [group, all] : groups_)
        std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->key.fd < b->key.fd; });
}

}  // namespace epaudit
