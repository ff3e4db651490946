// SPDX-License-Identifier: Apache-2.0
// What threads do that are away from their epoll for long. A sleep that has not ended has no wake-up, which would tell
// its call (bpf/blocked.h); /proc does.
#include <fmt/format.h>

#include <fstream>

#include "src/capture/live_impl.h"

namespace epaudit {
namespace {

// A run-time may park hundreds of threads that once polled; those beyond are left out.
constexpr size_t kMostAsked = 64;

std::optional<AwayThread> ask(uint32_t pid, uint32_t tid)
{
    const std::string folder = fmt::format("/proc/{}/task/{}/", pid, tid);
    AwayThread now;
    std::string call;
    if (!(std::ifstream(folder + "schedstat") >> now.cpu_ns >> now.delay_ns) ||
        !(std::ifstream(folder + "syscall") >> call))  // gone, or another user's
        return std::nullopt;
    if (call != "running")
        now.call = static_cast<int32_t>(std::strtol(call.c_str(), nullptr, 10));
    return now;
}

}  // namespace

void ask_away(Snapshot& books)
{
    size_t asked = 0;
    for (uint32_t tid : books.threads_away()) {
        if (asked++ == kMostAsked)
            return;
        if (const auto now = ask(books.threads[tid].tgid, tid))
            books.away[tid] = *now;
    }
}

}  // namespace epaudit
