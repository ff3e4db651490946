// SPDX-License-Identifier: Apache-2.0
#include "src/session/recorded.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "src/support/version.h"

namespace epaudit {
namespace {

std::string kernel_name()
{
    utsname names{};
    uname(&names);
    return fmt::format("{} {}", names.release, names.machine);
}

}  // namespace

// It must be a power of two.
uint32_t ring_bytes(uint32_t mib)
{
    constexpr uint64_t kMiB = 1 << 20;
    const long pages = sysconf(_SC_AVPHYS_PAGES);
    const uint64_t spare = pages > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) / 32
                                     : 0;
    const uint64_t wanted = mib ? std::bit_ceil(uint64_t{mib}) * kMiB
                                : std::clamp(std::bit_floor(spare), 16 * kMiB, 256 * kMiB);
    return static_cast<uint32_t>(wanted);
}

RecordingHeader recording_header(const std::vector<std::string>& command, const std::vector<uint32_t>& pids,
                                 Profile profile)
{
    RecordingHeader header;
    header.tool = EPAUDIT_VERSION;
    header.kernel = kernel_name();
    header.profile = profile == Profile::kTest ? "test" : "production";
    header.command = command;
    header.pids = pids;
    return header;
}

}  // namespace epaudit
