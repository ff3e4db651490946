// SPDX-License-Identifier: Apache-2.0
// What rules have said so far: one finding per rule and subject, at its highest level, with the newest evidence of that
// level. It has to last for weeks, and so is bounded: beyond its bounds only what is worse than its kind was is kept, and the
// kinds that are least and longest ago are forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "src/audit/rule.h"

namespace epaudit {

class KeptFindings {
public:
    using Subject = std::tuple<std::string, uint64_t, uint64_t, uint32_t, uint64_t>;  // rule, epoll, file, pid, inode
    struct Bounds {
        size_t of_kind = 5000;  // subjects of one kind (placeless_fingerprint()),
        size_t subjects = 40000;
        size_t kinds = 2000;
    };
    void set_bounds(const Bounds& bounds) { bounds_ = bounds; }
    // Findings note when they first reached this level.
    void set_gate(Level gate) { gate_ = gate; }

    // `info`: of its rule; NULL: nobody knows it.
    void keep(Finding&& finding, const RuleInfo* info, const Snapshot& books);
    const std::map<Subject, Finding>& subjects() const { return subjects_; }
    // To add what arrives later: stacks.
    std::map<Subject, Finding>& subjects() { return subjects_; }
    size_t kinds() const { return kinds_.size(); }
    // What was left out for want of room, as a sentence of the report; empty: nothing was.
    std::string left_out() const;

private:
    struct Kind {
        size_t subjects = 0;
        Level highest = Level::kInfo;
        uint64_t said_at = 0;
    };
    void take_back(const Finding& withdrawn);
    bool has_room(const Kind& kind, Level level) const;
    void forget_kinds(const Kind* except);
    void forget_one_of(const std::string& kind);

    std::map<Subject, Finding> subjects_;
    std::map<std::string, Kind> kinds_;  // by placeless_fingerprint()
    Level gate_ = Level::kLikely;
    Bounds bounds_;
    bool left_out_ = false;
    uint64_t forgotten_ = 0;
};

}  // namespace epaudit
