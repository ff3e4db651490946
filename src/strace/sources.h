// SPDX-License-Identifier: Apache-2.0
// Which log a line is from when several stand in one: behind a heading (tail, head, more, a loop around cat), or with a
// name before each line (grep, docker compose, kubectl, syslog).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epaudit {

struct LogSource {
    std::string name;
    uint32_t group = 0;  // those of one strace -ff share it: their names end in the pid
    uint32_t pid = 0;    // 0: the name does not say
};

class LogSources {
public:
    static constexpr size_t kMost = 4096;

    // Whether this line is a heading. `first`: no call came before it.
    bool heading(std::string_view text, bool first);
    // The lines that follow are from this one. False: too many.
    bool select(std::string_view name);

    uint32_t current() const { return current_; }
    bool several() const { return all_.size() > 1; }
    const std::vector<LogSource>& all() const { return all_; }

private:
    std::vector<LogSource> all_;
    std::unordered_map<std::string, uint32_t> by_name_;
    std::unordered_map<std::string, uint32_t> groups_;  // of strace -ff, by what stands before the pid
    uint32_t current_ = 0;
    bool ruled_ = false;  // the line before was one of colons: more
    std::string stem_;    // of headings that are nothing but a name
};

// The heading of `tail` and `head`; empty: it is none.
std::string_view tail_heading(std::string_view text);

// Where in what stands before a call the name of its log is. `begin` == `end`: nowhere.
struct NamedPrefix {
    size_t begin = 0, end = 0;
};
NamedPrefix find_source(std::string_view prefix);

}  // namespace epaudit
