// SPDX-License-Identifier: Apache-2.0
// What rules look at: the books at one moment. Live capture fills it from the kernel's sweep, replay from
// tables kept in user space; a rule cannot tell the difference.
//
// Times are CLOCK_MONOTONIC ns, as in bpf/rows.h, which documents every field.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bpf/probes.h"
#include "bpf/unregistered.h"
#include "src/books/log_run.h"
#include "src/books/loops.h"
#include "src/books/neighbours.h"
#include "src/workload/workload.h"

namespace epaudit {

// One file and one of its registrations. Only those that deserve a look are here (bpf/ledger_sweep.h);
// key.epoll is 0 for a file that is registered nowhere (any more).
using Entry = sweep_record;

enum class RunState { kUnknown, kAlive, kStopped, kGone };

struct ProcessInfo {
    uint32_t pid = 0;
    std::string comm;
    std::string exe;
    RunState state = RunState::kUnknown;
    uint64_t cpu_ns = 0;  // of all its threads; 0: not known
    Workload workload{};
    std::string directory{};  // that it worked in when it was first seen
};

// What a thread does that was told of something long ago and has not come back to wait.
struct AwayThread {
    static constexpr int32_t kRuns = -2;  // on a CPU, or waiting for one
    int32_t call = kRuns;                 // asleep in this system call; -1: in none
    uint64_t cpu_ns = 0;                  // as thread_row.base_cpu and base_delay, but now
    uint64_t delay_ns = 0;
};

class CallSites;

struct Snapshot {
    uint64_t time = 0;         // of the sweep
    uint64_t began = 0;        // when observation began
    bool state_known = true;   // kernel state (unread, backlog, socket state) was read; false for strace logs
    bool times_known = true;   // false: a log without time stamps; only the order of things is known
    bool more_follow = false;  // it is not the last one: what is said of it will be said again
    std::vector<Entry> entries;
    std::vector<Entry> buried;  // last words of registrations that died since the last snapshot
    std::map<uint64_t, epoll_row> epolls;
    std::map<uint32_t, thread_row> threads;
    std::map<uint32_t, ProcessInfo> processes;
    std::map<uint32_t, AwayThread> away;                           // of threads_away(), those that could be asked
    std::optional<std::vector<unregistered_socket>> unregistered;  // none: not looked for at this sweep
    std::array<uint64_t, STAT_SLOTS> stats{};
    std::vector<LogRun> log_runs;           // of a log, when it has been read
    std::shared_ptr<CallSites> call_sites;  // user stacks; none but in live capture

    // Made when it is first asked for: from then on `entries` stay as they are.
    const Neighbours& neighbours() const;
    // Likewise, and `threads`.
    const Loops& loops() const;

    const epoll_row* epoll(uint64_t id) const;
    const thread_row* thread(uint32_t tid) const;
    // All registrations of a file that this snapshot holds.
    std::vector<const Entry*> of_file(uint64_t file) const;
    // Every thread that waited on this epoll within `window` ns is now blocked in it. False when none is known.
    bool loop_idle(uint64_t epoll, uint64_t window) const;
    // Of epolls that nobody has polled for LEDGER_KEPT_NS: the threads that did.
    std::vector<uint32_t> threads_away() const;
    // Threads now blocked in epoll_wait on it.
    unsigned waiters(uint64_t epoll) const;
    // It, or a thread of it that polls, is stopped now (SIGSTOP, debugger, frozen cgroup): no verdict about waiting.
    bool stopped(uint32_t tgid) const;

private:
    // Of these entries and threads and no others: a copy makes its own.
    struct Made {
        std::unique_ptr<const Neighbours> neighbours;
        std::unique_ptr<const Loops> loops;
        Made() = default;
        Made(const Made&) {}
        Made& operator=(const Made&)
        {
            neighbours.reset();
            loops.reset();
            return *this;
        }
    };
    mutable Made made_;
};

}  // namespace epaudit
