// SPDX-License-Identifier: Apache-2.0
#include "src/strace/sample.h"

#include <algorithm>

#include "src/strace/characters.h"
#include "src/strace/shape.h"

namespace epaudit {
namespace {

// Spelt by whatever carried it: "epoll\_wait(", "&lt;... epoll_wait resumed&gt;", "{\"log\":\"epoll_wait(...". What somebody
// says of epoll has no brackets, or no result.
bool may_be_epoll(std::string_view line)
{
    const size_t at = line.find("epoll");
    if (at == std::string_view::npos)
        return false;
    if (has(line, "resumed") || has(line, "unfinished"))
        return true;
    const size_t arguments = line.find('(', at);
    return arguments != std::string_view::npos && has(line, "=") && !is_source(line.substr(arguments + 1));
}

bool may_be_call(std::string_view line)
{
    if (may_be_epoll(line) || has(line, ") ="))
        return true;
    const size_t at = find_call(line);
    return at != std::string_view::npos && !is_source(line.substr(line.find('(', at) + 1));
}

}  // namespace

void LogSample::add(std::string_view line)
{
    constexpr size_t kNear = 6;  // a call that was broken takes so many lines
    const bool first = first_.size() < kLines;
    if (first) {
        first_.emplace_back(line);
        bytes_ += line.size();
    }
    if (complete())
        return;
    const bool epoll = may_be_epoll(line);
    if (lines_.size() >= kLines && first_epoll_ == kNone && !epoll)
        return;
    if (may_be_call(line))
        near_ = kNear;
    else if (near_)
        near_--;
    else
        return;
    if (epoll && first_epoll_ == kNone)
        first_epoll_ = lines_.size();
    lines_.emplace_back(line);
    bytes_ += line.size();
    taken_++;
    within_first_ += first;
    // A beginning without epoll says less: it may have come another way.
    if (complete() && first_epoll_ >= kLines) {
        lines_.erase(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(first_epoll_));
        within_first_ -= std::min(within_first_, first_epoll_);
        first_epoll_ = 0;
    }
}

std::vector<std::string> LogSample::with_first_lines() const
{
    std::vector<std::string> lines = first_;
    lines.insert(lines.end(), lines_.begin() + static_cast<std::ptrdiff_t>(within_first_), lines_.end());
    return lines;
}

}  // namespace epaudit
