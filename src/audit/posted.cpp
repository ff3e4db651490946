// SPDX-License-Identifier: Apache-2.0
#include "src/audit/posted.h"

#include <algorithm>

namespace epaudit {
namespace {

constexpr uint64_t kInterval = 250 * NSEC_PER_MSEC;
// A walk over many files takes long: then there are fewer of them.
constexpr uint64_t kIntervalPerFile = 20 * NSEC_PER_USEC;
// Hours of silence need no more looks than this; growth and patience are judged in windows of seconds to minutes.
constexpr uint64_t kLooksPerPause = 2000;

}  // namespace

uint64_t PostedAudit::interval() const { return kInterval + tables_.files() * kIntervalPerFile; }

void PostedAudit::look_at(uint64_t now, std::vector<LogRun> runs)
{
    Snapshot books = tables_.snapshot(now);
    books.log_runs = std::move(runs);
    uint64_t registrations = 0;
    for (const auto& [id, epoll] : books.epolls)
        registrations += static_cast<int32_t>(epoll.registrations) > 0 ? epoll.registrations : 0;
    registrations_seen_ = std::max(registrations_seen_, registrations);
    epolls_seen_ = std::max<uint64_t>(epolls_seen_, books.epolls.size());
    auditor_.look(books);
    if (looked_)
        looked_(books);
}

void PostedAudit::pass(uint64_t now)
{
    if (!began_) {
        began_ = now;
        due_ = now + interval();
        return;
    }
    uint64_t step = interval();
    if (now > due_ && (now - due_) / step > kLooksPerPause)
        step = (now - due_) / kLooksPerPause;
    for (; due_ <= now; due_ += step)
        look_at(due_);
    time_ = std::max(time_, now);
}

void PostedAudit::look(std::vector<LogRun> runs) { look_at(time_, std::move(runs)); }

}  // namespace epaudit
