// SPDX-License-Identifier: Apache-2.0
// Tells a leak from something slow: the number of members grows from window to window, and the old ones stay.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "src/finding/finding.h"

namespace epaudit {

// A file that outlives recycled addresses: struct file * and inode.
using Member = std::pair<uint64_t, uint64_t>;
using Members = std::set<Member>;

class Growth {
public:
    Growth(unsigned windows, double kept_share) : windows_(windows), kept_share_(kept_share) {}

    // The members of each group (a process) now. Call at each audit, also of groups with none; what is not named any more is
    // forgotten.
    void note(const std::map<uint32_t, Members>& groups, uint64_t time, uint64_t window);
    // In each of the last `windows` windows there were more than in the one before, and of those that were there
    // at the beginning nearly all still are.
    bool grew(uint32_t group) const;

private:
    struct Sample {
        uint64_t time;
        Members members;
    };

    void note(std::deque<Sample>& samples, const Members& members, uint64_t time, uint64_t window) const;

    unsigned windows_;
    double kept_share_;
    std::map<uint32_t, std::deque<Sample>> samples_;
};

// Thousands of sockets may leak. Each is reported when it is new or its level changes, and one example always,
// so that its numbers stay fresh. `hangs`: it is marked as what hangs from the start (FromStart). When that begins, the mark
// is new; when it ends, what was said is taken back, and is to be said again.
class Told {
public:
    bool worth_saying(const Member& member, Level level, bool example, bool hangs = false);
    // At the end of an audit: what was not asked about in it is forgotten.
    void settle();

private:
    struct Said {
        Level level;
        bool hangs = false;
        bool asked = true;
    };
    std::map<Member, Said> told_;
};

}  // namespace epaudit
