// SPDX-License-Identifier: Apache-2.0
#include "src/support/process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/support/proc.h"

namespace epaudit {

Descriptor open_pidfd(uint32_t pid) { return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

std::optional<ProcessHandle> ProcessHandle::open(uint32_t pid, uint64_t started_ticks)
{
    // In this order: what the descriptor leads to held the number until now, so that its start is read, or nobody's.
    Descriptor pidfd = open_pidfd(pid);
    const auto stat = read_proc_stat(pid);
    if (!stat || (started_ticks && stat->started_ticks != started_ticks))
        return std::nullopt;
    ProcessHandle handle(pid, stat->started_ticks, std::move(pidfd));
    if (handle.ended())
        return std::nullopt;
    return handle;
}

bool ProcessHandle::ended() const
{
    pollfd gone{pidfd_.get(), POLLIN, 0};
    if (pidfd_)
        return poll(&gone, 1, 0) != 0;
    const auto stat = read_proc_stat(pid_);
    return !stat || !stat->running() || stat->started_ticks != started_;
}

}  // namespace epaudit
