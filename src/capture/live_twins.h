// SPDX-License-Identifier: Apache-2.0
// The account of pairs of programs (bpf/twins.h): what both of a pair missed.
#pragma once

#include <cstdint>

namespace epaudit {

// Each only grows.
struct TwinCounts {
    uint64_t firsts_skipped = 0;  // by the kernel
    uint64_t stood_in = 0;
    uint64_t unmarked = 0;
};

// How often a twin did the work of a skipped program. A first program that ran without leaving a mark may have made its
// twin stand in for nothing, or not (its twin got no mark either): in doubt it did, so that too much may look missed,
// never too little.
uint64_t stood_in_between(const TwinCounts& then, const TwinCounts& now);
uint64_t missed_between(const TwinCounts& then, const TwinCounts& now);

}  // namespace epaudit
