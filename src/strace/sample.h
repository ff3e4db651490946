// SPDX-License-Identifier: Apache-2.0
// The lines that say how a log was pasted: those that may hold a call, wherever in it they begin, and what stands near them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

class LogSample {
public:
    void add(std::string_view line);
    // No more lines are needed, or held.
    bool complete() const
    {
        return bytes_ >= kMostBytes || (first_epoll_ != kNone && lines_.size() >= first_epoll_ + kLines);
    }
    // Lines that it ever took, of which it may have dropped some.
    size_t taken() const { return taken_; }
    const std::vector<std::string>& lines() const { return lines_; }
    // The log's first lines, whatever they are, and the sample: another tool may have written it.
    std::vector<std::string> with_first_lines() const;

private:
    static constexpr size_t kLines = 64;  // of the beginning, and from the first call of epoll on
    static constexpr size_t kMostBytes = 4 << 20;
    static constexpr size_t kNone = static_cast<size_t>(-1);

    std::vector<std::string> first_, lines_;
    size_t within_first_ = 0;  // so many of the sample are among the first
    size_t first_epoll_ = kNone;
    size_t taken_ = 0;
    size_t bytes_ = 0;  // of all that it ever took
    size_t near_ = 0;   // so many lines more belong to a call
};

}  // namespace epaudit
