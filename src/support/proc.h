// SPDX-License-Identifier: Apache-2.0
// The one reader of /proc/PID/stat. A process chooses its own name: it may hold spaces, parentheses and newlines, so the
// fields begin behind the *last* parenthesis of the whole file, not of its first line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

struct ProcStat {
    std::string comm;
    char state = 'X';         // R, S, D, T, t, Z, X, I
    uint32_t parent = 0;      // its process id
    uint64_t user_ticks = 0;  // of CPU time, in ticks of sysconf(_SC_CLK_TCK)
    uint64_t system_ticks = 0;
    uint64_t started_ticks = 0;  // after boot: with the pid, who it is

    uint32_t threads = 1;  // the first included, ended or not
    bool kernel = false;   // a thread of the kernel's own
    uint64_t program =
        0;  // where its program lies in memory, which exec changes; the same for all where it is not told

    // Its first thread may end, and the others go on.
    bool running() const { return state != 'X' && (state != 'Z' || threads > 1); }
    bool first_thread_ended() const { return state == 'Z' && threads > 1; }
};

std::optional<ProcStat> parse_proc_stat(std::string_view text);
std::optional<ProcStat> read_proc_stat(uint32_t pid);  // nothing: there is no such process
// As the kernel has it, whatever it holds; empty when the process is gone.
std::string read_comm(uint32_t pid);
// The process a thread belongs to (its own number when it is one); 0: there is no such thread.
uint32_t process_of(uint32_t tid);
// /proc/NUMBER of which leads to what a process has: files, map, executable. Its own number, or, when its first thread has
// ended and others go on, that of one of them.
uint32_t living_thread(uint32_t pid);
// Its program is of 32 bits, as its file says; false when that cannot be read.
bool is_32bit_program(uint32_t pid);
// Of an epoll with more registrations fdinfo is not read: the kernel holds ep->mtx while it writes a line for each
// (ep_show_fdinfo()), begins anew each time its buffer proves too small, and nobody gets an event from it meanwhile.
constexpr unsigned kMostInFdinfo = 10000;
// Numbers named by the entries of a directory.
std::vector<uint32_t> numbers_in(const std::string& directory);

// Which pid namespace is ours, and which does /proc show? `run`, `attach` and reports speak of numbers of the former.
enum class PidNamespace { kFirst, kContainer, kOtherProc, kNoProc };
PidNamespace own_pid_namespace();
// Not in the first user namespace: our capabilities hold for what belongs to ours, and BPF asks for those of the first.
bool in_user_namespace();
// A whole file of /proc; empty when it cannot be read.
std::string read_proc_file(const std::string& path);

}  // namespace epaudit
