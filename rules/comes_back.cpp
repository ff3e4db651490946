// SPDX-License-Identifier: Apache-2.0
#include "rules/comes_back.h"

namespace epaudit {
namespace {

// Whoever has taken an fd up may work on it for so long before it asks for input again.
constexpr uint64_t kWorkNs = 5 * NSEC_PER_SEC;

}  // namespace

void ComesBack::weigh(const Snapshot& books, const Entry& entry, Doubts& doubts)
{
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    if (proven_.count(entry.key.epoll))
        doubts.push_back("the program has come back to another one late, without having been told");
    const Subject subject{entry.key.epoll, entry.file_id};
    if (epoll && (doubts.empty() || stands_.count(subject)))  // doubts come and go
        stands_[subject] = {late_(*epoll), epoll->unarmed_closes, books.time};
}

// It does not wait any more, and since it did, input of this epoll was asked for again late: its own.
bool ComesBack::came_back(const Snapshot& books, uint64_t id, const Stand& stand) const
{
    const epoll_row* epoll = books.epoll(id);
    return epoll && stand.seen_at != books.time && epoll->unarmed_closes == stand.closes && late_(*epoll) > stand.late;
}

bool ComesBack::over(const Snapshot& books, uint64_t id, const Stand& stand) const
{
    const epoll_row* epoll = books.epoll(id);
    return !epoll || epoll->unarmed_closes != stand.closes || stand.seen_at + kWorkNs < books.time;
}

void ComesBack::settle(const RuleInfo& rule, const Snapshot& books, Stalls& stalls, std::vector<Finding>& out)
{
    for (const auto& [subject, stand] : stands_) {
        if (came_back(books, subject.first, stand) && proven_.insert(subject.first).second)
            stalls.take_back(rule, subject.first, out);
    }
    std::erase_if(stands_, [&](const auto& stand) {
        return proven_.count(stand.first.first) || over(books, stand.first.first, stand.second);
    });
    std::erase_if(proven_, [&](uint64_t id) { return !books.epoll(id); });
}

}  // namespace epaudit
