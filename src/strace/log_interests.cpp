// SPDX-License-Identifier: Apache-2.0
#include "src/strace/log_interests.h"

#include <algorithm>

namespace epaudit {
namespace {

constexpr size_t kMostClosed = 4096;  // per epoll

}  // namespace

void LogInterests::enrol(uint64_t epoll, int fd, const Member& member)
{
    List& list = lists_[epoll];
    auto [at, fresh] = list.members.try_emplace(fd, member);
    if (fresh) {
        std::vector<uint64_t>& ids = holders_[fd];
        ids.insert(std::lower_bound(ids.begin(), ids.end(), epoll), epoll);
    } else {
        list.by_data.erase(at->second.data);
    }
    at->second = member;
    list.by_data[member.data] = fd;
    list.closed.erase(member.data);
}

void LogInterests::strike(uint64_t epoll, int fd)
{
    if (auto list = lists_.find(epoll); list != lists_.end())
        strike(epoll, list->second, fd);
}

void LogInterests::strike(uint64_t epoll, List& list, int fd)
{
    auto at = list.members.find(fd);
    if (at == list.members.end())
        return;
    list.by_data.erase(at->second.data);
    list.members.erase(at);
    auto holders = holders_.find(fd);
    std::vector<uint64_t>& ids = holders->second;
    ids.erase(std::lower_bound(ids.begin(), ids.end(), epoll));
    if (ids.empty())
        holders_.erase(holders);
}

void LogInterests::close_number(uint64_t epoll, int fd, uint32_t pid, std::optional<uint32_t> closed_by)
{
    auto known = lists_.find(epoll);
    if (known == lists_.end())
        return;
    List& list = known->second;
    auto member = list.members.find(fd);
    if (closed_by && member != list.members.end() && member->second.tid == *closed_by &&
        list.closed.size() < kMostClosed)
        list.closed[member->second.data] = {fd, pid};
    strike(epoll, list, fd);
}

void LogInterests::forget(uint64_t epoll)
{
    auto list = lists_.find(epoll);
    if (list == lists_.end())
        return;
    while (!list->second.members.empty())
        strike(epoll, list->second, list->second.members.begin()->first);
    lists_.erase(list);
}

std::optional<LogInterests::About> LogInterests::find(uint64_t epoll, uint64_t data) const
{
    auto known = lists_.find(epoll);
    if (known == lists_.end())
        return std::nullopt;
    const List& list = known->second;
    auto fd = list.by_data.find(data);
    auto member = fd == list.by_data.end() ? list.members.end() : list.members.find(fd->second);
    if (member != list.members.end() && member->second.data == data)
        return About{member->first, &member->second, 0};
    if (auto gone = list.closed.find(data); gone != list.closed.end())
        return About{gone->second.fd, nullptr, gone->second.pid};
    return std::nullopt;
}

const LogInterests::Member* LogInterests::member(uint64_t epoll, int fd) const
{
    auto list = lists_.find(epoll);
    if (list == lists_.end())
        return nullptr;
    auto member = list->second.members.find(fd);
    return member == list->second.members.end() ? nullptr : &member->second;
}

const std::vector<uint64_t>& LogInterests::holders(int fd) const
{
    static const std::vector<uint64_t> kNone;
    auto ids = holders_.find(fd);
    return ids == holders_.end() ? kNone : ids->second;
}

}  // namespace epaudit
