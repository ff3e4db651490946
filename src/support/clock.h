// SPDX-License-Identifier: Apache-2.0
// The clock of all postings: CLOCK_MONOTONIC, as bpf_ktime_get_ns() reads it.
#pragma once

#include <time.h>

#include <cstdint>
#include <string_view>

namespace epaudit {

// Of the machine, also inside a time namespace, which has a CLOCK_MONOTONIC of its own.
uint64_t monotonic_ns();

// By how much a time namespace sets that clock forward, as its /proc/PID/timens_offsets tells.
int64_t monotonic_offset_ns(std::string_view offsets);

// The wall clock, since 1970.
inline uint64_t realtime_ns()
{
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace epaudit
