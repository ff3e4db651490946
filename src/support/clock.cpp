// SPDX-License-Identifier: Apache-2.0
#include "src/support/clock.h"

#include <sys/stat.h>

#include <cstdio>
#include <string>

#include "src/support/proc.h"

namespace epaudit {
namespace {

// The file speaks of the namespace that children will be born into; mostly that is our own, too.
int64_t own_offset()
{
    struct stat own {
    }, of_children{};
    if (stat("/proc/self/ns/time", &own) || stat("/proc/self/ns/time_for_children", &of_children) ||
        own.st_ino != of_children.st_ino)
        return 0;
    return monotonic_offset_ns(read_proc_file("/proc/self/timens_offsets"));
}

}  // namespace

int64_t monotonic_offset_ns(std::string_view offsets)
{
    long long seconds = 0, nanoseconds = 0;
    const bool told = sscanf(std::string(offsets).c_str(), "monotonic %lld %lld", &seconds, &nanoseconds) == 2;
    return told ? seconds * 1'000'000'000 + nanoseconds : 0;
}

uint64_t monotonic_ns()
{
    static const int64_t offset = own_offset();
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec * 1'000'000'000LL + now.tv_nsec - offset);
}

}  // namespace epaudit
