// SPDX-License-Identifier: Apache-2.0
// What looks have cost, for --verbose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace epaudit {

class LookCosts {
public:
    // ns of CPU time of the newest one.
    void add(uint64_t ns);
    // ns of the cheaper one of the last two: that one was dear may be the machine's doing. 0: there was none.
    uint64_t lately() const;
    // "12 looks: 3.2 ms of CPU time each (median of the newest 8), 80.0 ms the dearest"
    std::string text() const;

private:
    static constexpr size_t kKept = 8;  // as the target is now, not as it was at first

    uint64_t looks_ = 0;
    uint64_t dearest_ = 0;
    std::vector<uint64_t> newest_;  // a ring
};

}  // namespace epaudit
