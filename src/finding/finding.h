// SPDX-License-Identifier: Apache-2.0
// What a rule says. Findings are plain data; reports print them, the gate counts them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/books/trail.h"
#include "src/finding/inconclusive.h"
#include "src/workload/workload.h"

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

// The line a finding points at, and its neighbours.
struct SourceExcerpt {
    std::string file;  // as in Frame
    int line = 0;      // the guilty one
    int first = 0;     // number of lines[0]
    std::vector<std::string> lines;
};

// Why a finding is known and does not count.
struct Suppression {
    std::string by;      // "suppression", "baseline"
    std::string reason;  // as written there; may be empty for a baseline
    std::string where;   // "epaudit.toml:12"
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
    std::string directory;  // that it works in
    Workload workload;
    int epoll_fd = -1;
    FdInfo fd;
    uint64_t count = 0;         // occurrences the rule counted (futile returns, rescues, leaked sockets)
    std::vector<Measure> cost;  // what it costs
    std::vector<std::pair<std::string, std::string>> facts;  // what was seen: {"mask", "EPOLLIN|EPOLLOUT"}
    std::vector<TimelineEntry> timeline;
    std::vector<Stack> stacks;            // the one that says where the mistake is comes first
    std::optional<SourceExcerpt> source;  // of guilty_frame() (evidence/place.h), where the file is at hand
    std::string fix;
    uint64_t first_at = 0;  // CLOCK_MONOTONIC ns at which the gate level was first reached
    unsigned fds = 1;       // how many descriptors show the same finding (this one is the example)

    std::string trigger;  // how its registration is told: level, edge, oneshot; part of the fingerprint

    std::optional<Suppression> suppression;

    // While it stands, clean may not be claimed, whatever its level.
    std::optional<InconclusiveReason> inconclusive;

    bool withdrawn = false;  // the rule takes back what it said of this subject, what was confirmed only if this is too

    // Identity of the thing that misbehaves; the auditor keeps one finding per (rule, subject). Epoll and file are
    // addresses in the kernel, which the next process may get again: its pid and the file's inode tell them apart.
    uint64_t subject_epoll = 0;
    uint64_t subject_file = 0;
    uint64_t subject_ino = 0;  // counts only with subject_file
};

}  // namespace epaudit
