// SPDX-License-Identifier: Apache-2.0
// How long, in seconds and in words: everything that people read has its durations from here.
#pragma once

#include <cstdint>
#include <string>

namespace epaudit {

constexpr double seconds_of(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

std::string seconds_text(double seconds);  // "15 us", "350 ms", "12.0 s", "5 min 3 s", "2 h 10 min", "8 d 4 h"

inline std::string duration_text(uint64_t ns) { return seconds_text(seconds_of(ns)); }

}  // namespace epaudit
