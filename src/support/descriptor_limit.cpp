// SPDX-License-Identifier: Apache-2.0
#include "src/support/descriptor_limit.h"

#include <sys/resource.h>

#include <optional>

namespace epaudit {
namespace {

// Some 80 are open while it watches one process, and one more for each of up to 64 others whose code was looked at.
constexpr rlim_t kNeeded = 160;

std::optional<rlimit> files_before;

}  // namespace

DescriptorRoom raise_descriptor_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return {};
    if (limit.rlim_cur < limit.rlim_max) {
        const rlimit raised{limit.rlim_max, limit.rlim_max};
        if (!files_before)
            files_before = limit;
        if (!setrlimit(RLIMIT_NOFILE, &raised))
            limit = raised;
    }
    return {limit.rlim_cur >= kNeeded, limit.rlim_cur};
}

void restore_descriptor_limit()
{
    if (files_before)
        setrlimit(RLIMIT_NOFILE, &*files_before);
}

}  // namespace epaudit
