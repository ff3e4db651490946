// SPDX-License-Identifier: Apache-2.0
// The processes we observe. They are never signalled, stopped or traced while hooks are on: signals wake
// epoll_wait and would change what we measure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/books/snapshot.h"
#include "src/session/options.h"
#include "src/support/caller.h"
#include "src/support/descriptor.h"
#include "src/support/process.h"
#include "src/support/result.h"

namespace epaudit {

// How a child ended.
struct ExitStatus {
    bool signalled = false;
    int code = 0;  // exit status, or signal number
};

// Nothing: the command runs as we do.
Result<std::optional<Caller>> command_user(const AsWhom& whom);

// A command that waits, already forked, until it is told to exec: so the hooks are on from its first
// instruction, and no ptrace is needed.
class Command {
public:
    // `user`: as whom; nothing: as we are. Never with capabilities that were given to us.
    static Result<Command> start(const std::vector<std::string>& command, const std::optional<Caller>& user = {});
    pid_t pid() const { return pid_; }
    // Lets it exec. The error says why the command could not be executed.
    Result<> go();
    std::optional<ExitStatus> reap(bool block);
    // After the observation: asks it to end, insists after a grace period.
    ExitStatus end();

private:
    pid_t pid_ = -1;
    std::string command_;
    Descriptor start_;   // closing it lets the child go
    Descriptor failed_;  // the child writes errno here when exec fails; exec closes it
    std::optional<ExitStatus> status_;
};

// What is said of those that it leaves behind.
std::string left_running_text(size_t descendants);

// Is there such a program, where execvp() looks? Whether it can be executed, only go() knows.
Result<> find_command(const std::string& name);
struct Pids {
    std::vector<uint32_t> pids;            // processes, each once,
    std::vector<ProcessHandle> processes;  // and who had these numbers when they were given
    std::vector<std::string> notes;        // "4712 is a thread of 4711: the process is watched"
};

// Parses "123" or "123,456"; each must exist. The number of a thread is taken to its process, and said.
Result<Pids> parse_pids(const std::string& text);
bool have_ended(const std::vector<ProcessHandle>& processes);  // all of them
// Its name and executable.
ProcessInfo program_of(uint32_t pid);
// Existing descendants of these processes, themselves not included.
struct Descendant {
    uint32_t pid;
    uint64_t started_ticks;
};
std::vector<Descendant> descendants(const std::vector<uint32_t>& pids);

}  // namespace epaudit
