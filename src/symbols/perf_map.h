// SPDX-License-Identifier: Apache-2.0
// /tmp/perf-PID.map: the names that a run-time gives to the code it makes. Lines "START SIZE NAME", numbers hexadecimal.
// Whatever the text holds, it is bounded and never an error: it comes from the watched program.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "src/books/trail.h"

namespace epaudit {

constexpr size_t kMostPerfMapBytes = size_t{64} << 20;

class PerfMap {
public:
    PerfMap() = default;
    explicit PerfMap(std::string_view text);

    // Code moves, and new code takes the place of old: the last line that covers an address names it.
    std::optional<Frame> find(uint64_t address) const;
    size_t size() const { return ranges_.size(); }

private:
    struct Range {
        uint64_t end;
        std::string name;
    };
    void put(uint64_t start, uint64_t end, std::string_view name);

    std::map<uint64_t, Range> ranges_;  // by start; they do not overlap
};

// V8 has function, file and line in the name, Python function and file; others only the function.
Frame frame_of_perf_name(std::string_view name);

}  // namespace epaudit
