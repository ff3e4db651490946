// SPDX-License-Identifier: Apache-2.0
#include "rules/wake_calls.h"

#include <algorithm>

namespace epaudit {
namespace {

// Writes, seen from the first look on, that show that it is still in use.
constexpr uint64_t kCallsAgain = 2;

}  // namespace

bool wakes_the_loop(const Entry& entry) { return entry.file.kind == FILE_EVENTFD || entry.file.kind == FILE_PIPE; }

bool WakeCalls::go_on(const Entry& entry, uint64_t now)
{
    if (!wakes_the_loop(entry))
        return false;
    const registration_row& r = entry.registration;
    Calls& calls = calls_[{entry.key.epoll, entry.file_id, entry.key.fd}];
    bool pipe = entry.file.kind == FILE_PIPE;  // of a child, it may be held back on purpose
    uint32_t readies = pipe ? r.self_readies : r.readies;
    if (calls.fired_at != r.fired_at)
        calls = {r.fired_at, readies, entry.state.io, 0};
    calls.seen_at = now;
    uint64_t counted = !pipe && entry.state.io > calls.count ? entry.state.io - calls.count : 0;
    return std::max<uint64_t>(readies - calls.readies, counted) >= kCallsAgain;
}

void WakeCalls::forget_others(uint64_t now)
{
    std::erase_if(calls_, [&](const auto& one) { return one.second.seen_at != now; });
}

}  // namespace epaudit
