// SPDX-License-Identifier: Apache-2.0
// Where data does not tell which registration an event was about, a run counts for all that may be meant: those that
// have the same data in the same epoll. There may be thousands of them: they are found in one pass, when somebody asks.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "src/books/snapshot.h"
#include "src/finding/finding.h"

namespace epaudit {

class Sharers {
public:
    explicit Sharers(const Snapshot& books) : books_(books) {}
    // By number; none: its data is its own.
    const std::vector<const Entry*>& of(const Entry& entry);

private:
    void count();

    using Group = std::tuple<uint64_t, uint64_t, bool>;  // epoll, data, buried

    const Snapshot& books_;
    bool counted_ = false;
    std::map<Group, std::vector<const Entry*>> groups_;
};

// The finding is about one of them, and which one is not known.
void name_candidates(Finding& finding, const std::vector<const Entry*>& candidates);

}  // namespace epaudit
