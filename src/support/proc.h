// SPDX-License-Identifier: Apache-2.0
// The one reader of /proc/PID/stat. A process chooses its own name: it may hold spaces, parentheses and newlines, so the
// fields begin behind the *last* parenthesis of the whole file, not of its first line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epaudit {

struct ProcStat {
    std::string comm;
    char state = 'X';         // R, S, D, T, t, Z, X, I
    uint32_t parent = 0;      // its process id
    uint64_t user_ticks = 0;  // of CPU time, in ticks of sysconf(_SC_CLK_TCK)
    uint64_t system_ticks = 0;
    uint64_t started_ticks = 0;  // after boot: with the pid, who it is

    bool running() const { return state != 'Z' && state != 'X'; }
};

std::optional<ProcStat> parse_proc_stat(std::string_view text);
std::optional<ProcStat> read_proc_stat(uint32_t pid);  // nothing: there is no such process
// As the kernel has it, whatever it holds; empty when the process is gone.
std::string read_comm(uint32_t pid);
// The process a thread belongs to (its own number when it is one); 0: there is no such thread.
uint32_t process_of(uint32_t tid);
// A whole file of /proc; empty when it cannot be read.
std::string read_proc_file(const std::string& path);

}  // namespace epaudit
