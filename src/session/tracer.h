// SPDX-License-Identifier: Apache-2.0
// strace, started by us as a source of what a program does, for where BPF is refused and ptrace is not.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/strace/text_source.h"
#include "src/support/descriptor.h"
#include "src/support/result.h"

namespace epaudit {

// Its path; the error says how to install it.
Result<std::string> find_strace();

class Tracer {
public:
    // Traces these processes, all their threads, and the children they will have. Comes back once it does so.
    //
    // It attaches to what runs already, a command of our own included (Command waits until it is told to go): so the
    // command stays our child with its own exit status, inherits nothing of strace's, and goes on when strace lets go of
    // it. That rules out --seccomp-bpf, whose filter outlives strace: a program left to itself would get ENOSYS for the
    // calls that were traced.
    static Result<std::unique_ptr<Tracer>> attach(const std::string& strace, const std::vector<uint32_t>& pids);
    ~Tracer();  // lets go of what is still traced
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;

    // What it prints, until it has ended.
    TextSource& log() { return *log_; }
    // Asks it to let go of everything and to end; the log goes on until it has.
    void detach();
    // It did not do so in time.
    void kill();
    // What it said when it attached: "Process 4711 attached with 3 threads".
    const std::vector<std::string>& said() const { return said_; }
    // Takes what it says of each thread that comes and goes; it would wait for us when nobody did.
    void drain() { read_messages(false); }
    // How many processes and threads it let go of. Once the log has ended.
    size_t let_go();

private:
    Tracer() = default;
    Result<> start(const std::string& strace, const std::vector<uint32_t>& pids);
    Result<> wait_until_attached(size_t processes);
    void read_messages(bool wait);

    pid_t pid_ = -1;
    std::string directory_;
    std::string path_;  // of the named pipe through which the log comes
    Descriptor held_;   // keeps it open while nobody writes yet
    Descriptor messages_;
    std::string unread_;
    std::vector<std::string> said_;  // until it has attached
    bool attached_ = false;
    size_t let_go_ = 0;
    std::unique_ptr<TextSource> log_;
};

// The calls that matter, for -e trace=...
std::string traced_calls();

}  // namespace epaudit
