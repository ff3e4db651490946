// SPDX-License-Identifier: Apache-2.0
// Programs that come back late to what looked forgotten, without having been told: a scheduler that gives each client its
// share, a pool whose threads were busy. Once that is seen of an epoll, what was said of it is taken back, and from then on
// it is a doubt.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "rules/stuck.h"

namespace epaudit {

class ComesBack {
public:
    // How often a program took up an fd of this epoll again, later than at once.
    using Late = uint32_t (*)(const epoll_row& epoll);

    explicit ComesBack(Late late) : late_(late) {}

    // It waits. Adds a doubt, or, where there was none at all, remembers that it does.
    void weigh(const Snapshot& books, const Entry& entry, Doubts& doubts);
    // At the end of an audit.
    void settle(const RuleInfo& rule, const Snapshot& books, Stalls& stalls, std::vector<Finding>& out);

private:
    using Subject = std::pair<uint64_t, uint64_t>;  // epoll, file
    struct Stand {
        uint32_t late = 0;    // when it was last seen to wait,
        uint32_t closes = 0;  // and how many were closed untouched by then
        uint64_t seen_at = 0;
    };
    bool came_back(const Snapshot& books, uint64_t id, const Stand& stand) const;
    bool over(const Snapshot& books, uint64_t id, const Stand& stand) const;

    Late late_;
    std::map<Subject, Stand> stands_;
    std::set<uint64_t> proven_;  // epolls
};

}  // namespace epaudit
