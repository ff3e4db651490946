// SPDX-License-Identifier: Apache-2.0
// One clock out of whatever time stamps a log has: ns that never go back, beginning at 1 s (0 means never).
#pragma once

#include <cstdint>
#include <unordered_map>

#include "src/strace/line.h"

namespace epaudit {

class LogClock {
public:
    // The lines that follow are from this log of several: each has its own time stamps.
    void source(uint32_t number);
    // The time of a line, read once per line and in order.
    uint64_t at(const LogLine& line);

    bool known() const { return known_; }    // any time stamp seen; else lines are 2 ns apart
    bool coarse() const { return coarse_; }  // whole seconds
    uint64_t now() const { return now_; }
    uint64_t steps_back() const { return steps_back_; }  // logs put together, a clock that was set

private:
    uint64_t absolute(uint64_t stamp, uint64_t wrap);
    void goes_on(uint64_t step);

    struct Source {
        uint64_t now = 0;      // by its own stamps, from where the clock was when it began
        uint64_t stamp = 0;    // of the line before
        bool stamped = false;  // `stamp` is an absolute one
        bool fresh = false;    // `stamp` is another log's
    };
    uint64_t now_ = 1'000'000'000;
    bool known_ = false;
    Source source_{1'000'000'000};
    uint32_t number_ = 0;
    std::unordered_map<uint32_t, Source> others_;
    bool coarse_ = false;
    uint64_t steps_back_ = 0;
};

}  // namespace epaudit
