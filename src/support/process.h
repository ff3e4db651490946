// SPDX-License-Identifier: Apache-2.0
// A process that cannot be taken for a later one that got its number.
#pragma once

#include <cstdint>
#include <optional>

#include "src/support/descriptor.h"

namespace epaudit {

// Opens a pidfd that becomes readable when the process is gone, its last thread included.
Descriptor open_pidfd(uint32_t pid);

class ProcessHandle {
public:
    // Nothing: there is no such process, or it has ended. `started_ticks`: that of another moment, 0: whatever it is.
    static std::optional<ProcessHandle> open(uint32_t pid, uint64_t started_ticks = 0);

    uint32_t pid() const { return pid_; }
    uint64_t started_ticks() const { return started_; }  // after boot: with the number, who it is
    int pidfd() const { return pidfd_.get(); }           // -1: let go
    bool ended() const;                                  // its last thread has
    // It is known by its start from now on: descriptors are few, processes may be many.
    void let_go() { pidfd_.reset(); }

private:
    ProcessHandle(uint32_t pid, uint64_t started, Descriptor pidfd)
        : pid_(pid), started_(started), pidfd_(std::move(pidfd))
    {
    }

    uint32_t pid_;
    uint64_t started_;
    Descriptor pidfd_;
};

}  // namespace epaudit
