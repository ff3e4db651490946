// SPDX-License-Identifier: Apache-2.0
// What a rule says. Findings are plain data; reports print them, the gate counts them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epaudit {

// How sure we are, apart from how bad it is.
enum class Level {
    kInfo = 0,
    kRisk = 1,       // hazard, no harm seen; shown with --risks
    kLikely = 2,     // pattern and state, no counter-evidence
    kConfirmed = 3,  // harm seen in kernel state, repeatedly
};

const char* level_name(Level level);
std::optional<Level> parse_level(std::string_view name);

struct TimelineEntry {
    double t = 0;      // seconds since observation began
    std::string what;  // "delivered EPOLLOUT", "read 4 of 4 bytes"
    uint32_t tid = 0;
};

struct Frame {
    std::string function;
    std::string file;
    int line = 0;
};

struct Stack {
    std::string what;  // "armed at"
    std::vector<Frame> frames;
};

struct FdInfo {
    int number = -1;
    std::string kind;   // kind_name(): tcp, listener, udp, unix, pipe, eventfd, timerfd, signalfd, epoll, other
    std::string local;  // 127.0.0.1:80, empty where there is none
    std::string peer;
};

// A measured number with its unit in the name: {"wakeups_per_s", 51234.0}.
using Measure = std::pair<std::string, double>;

struct Finding {
    std::string rule;  // EP201
    std::string name;  // busy-epollout
    Level level = Level::kInfo;
    std::string fingerprint;  // filled in by the auditor; never holds pids, fd numbers or times
    std::string summary;      // one sentence, no full stop, no fd number needed: the report adds where
    std::string shape;        // sub-shape in field terms ("nothing between returns", "read = EAGAIN"); may be empty
    uint32_t pid = 0;
    std::string comm;
    std::string exe;
    int epoll_fd = -1;
    FdInfo fd;
    uint64_t count = 0;         // occurrences the rule counted (futile returns, rescues, leaked sockets)
    std::vector<Measure> cost;  // what it costs
    std::vector<std::pair<std::string, std::string>> facts;  // what was seen: {"mask", "EPOLLIN|EPOLLOUT"}
    std::vector<TimelineEntry> timeline;
    std::vector<Stack> stacks;
    std::string fix;
    uint64_t first_at = 0;  // CLOCK_MONOTONIC ns at which the gate level was first reached
    unsigned fds = 1;       // how many descriptors show the same finding (this one is the example)

    std::string trigger;  // how its registration is told: level, edge, oneshot; part of the fingerprint

    bool withdrawn = false;  // the rule takes back what it said of this subject, unless that was confirmed

    // Identity of the thing that misbehaves; the auditor keeps one finding per (rule, subject).
    uint64_t subject_epoll = 0;
    uint64_t subject_file = 0;
};

}  // namespace epaudit
