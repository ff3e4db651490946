// SPDX-License-Identifier: Apache-2.0
#include "src/books/loops.h"

#include <algorithm>

namespace epaudit {
namespace {

void count(Loop& loop, const thread_row& t)
{
    // A wait with timeout 0 does not block: that thread is about to do something.
    const bool blocked = t.waiting && t.timeout_ms != 0;
    if (loop.threads++ && loop.process != t.tgid)
        loop.of_processes = true;
    loop.process = t.tgid;
    loop.waiting += t.waiting != 0;
    loop.blocked |= blocked;
    loop.timed |= t.waiting && t.timeout_ms >= 0;
    if (!blocked) {
        loop.awake = true;
        loop.awake_at = std::max({loop.awake_at, t.wait_at, t.return_at});
    }
    (t.wait_at ? loop.polled : loop.guessed) = true;
}

}  // namespace

Loops::Loops(const std::map<uint32_t, thread_row>& threads)
{
    for (const auto& [tid, t] : threads) {
        count(loops_[t.epoll], t);
        if (t.stopped)
            stopped_.insert(t.tgid);
        if (!t.waiting && t.call_file)
            in_call_[t.call_file].push_back(tid);
    }
}

const Loop& Loops::of(uint64_t epoll) const
{
    static const Loop kNone;
    auto at = loops_.find(epoll);
    return at == loops_.end() ? kNone : at->second;
}

const std::vector<uint32_t>& Loops::in_call(uint64_t file) const
{
    static const std::vector<uint32_t> kNone;
    auto at = in_call_.find(file);
    return at == in_call_.end() ? kNone : at->second;
}

}  // namespace epaudit
