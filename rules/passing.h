// SPDX-License-Identifier: Apache-2.0
// Connections that pass: each spins for as long as it is there, a few milliseconds or half a second, and then the next one
// does. No registration lives long enough to be a spin, the loop spins all the same.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "src/books/snapshot.h"

namespace epaudit {

struct Passed {
    Entry example{};          // the first of them: it stays the same, so that what is told stays one finding
    uint64_t ones = 0;        // registrations
    double returns = 0;       // in a row without work, of all of them; what several had at once counts once
    uint64_t ns = 0;          // and for how long
    uint64_t cpu_ns = 0;      // and what they cost
    uint64_t since = 0;       // when the first of them began
    uint64_t covered_to = 0;  // until then time has been counted

    // Several, and a good part of the time since the first: else it is the odd long turn of a loop that is in order.
    bool is_habit(const Snapshot& books) const;
};

// By epoll, as long as that is there. Say all that have runs at each look; what died stays in the sum.
class Passing {
public:
    void begin() { living_.clear(); }
    static bool has_runs(const Entry& entry);
    void note(const Entry& entry);
    // Those that are still there are added for this look only.
    std::vector<Passed> sums(const Snapshot& books);

private:
    static void add(Passed& sum, const Entry& entry);

    std::map<uint64_t, Passed> dead_;
    std::map<uint64_t, std::vector<const Entry*>> living_;
};

}  // namespace epaudit
