// SPDX-License-Identifier: Apache-2.0
// The modules of one process, and what their unwind tables, symbols and line tables say about an address in them.
// Those are read in a child without privileges (symbols_child.h). Nothing here stops, signals or ptraces the process:
// its map is read from /proc, its files are opened, and the stack comes from a slice.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/books/trail.h"
#include "src/symbols/stack_slice.h"

namespace epaudit {

// A place in the code of a process. Return addresses point behind their call.
struct CodeAddress {
    uint64_t pc = 0;
    bool exact = false;    // not a return address
    bool guessed = false;  // by the frame pointer
    // Named at once, where code or frames are not what they were when a finding asks.
    std::shared_ptr<const Frame> named{};
};

// As whom what a process has made is read: its own effective user, but never root.
struct ProcessUser {
    uint32_t uid = 0;
    uint32_t gid = 0;
};
constexpr uint32_t kNobody = 65534;
ProcessUser user_of_process(uint32_t pid);

class ProcessImage {
public:
    // Reads its map of modules. On failure `why` is errno: the process is gone, or we may not look.
    static std::unique_ptr<ProcessImage> open(uint32_t pid, int& why);
    ~ProcessImage();

    // Still the same program in the same process? Not after exec, nor when the pid belongs to another one.
    bool current() const;
    // Its symbols are not asked for any more: whoever read them did not survive it.
    bool given_up() const;
    // ... because it could not become the user who may read them: errno; else 0.
    int not_that_user() const;
    // Innermost first; at least the pc itself. Libraries loaded since the last call are found.
    std::vector<CodeAddress> unwind(const StackSlice& slice);
    // One frame for each address, and one more for each function inlined there. Works when the process has ended.
    std::vector<Frame> symbolise(const std::vector<CodeAddress>& addresses);
    // A perf map may be written after the stack was taken (jcmd writes it when it is told to): are there more names now?
    bool name_late(std::vector<CodeAddress>& addresses);
    // How its interpreter of Python keeps frames; nullptr: it has none that we know, as far as its map tells, which is read again.
    const python_offsets* python();
    // What would name those that have no name; empty: nothing that we know.
    std::string hint(const std::vector<Frame>& frames) const;

private:
    struct Impl;
    void name_python(const StackSlice& slice, std::vector<CodeAddress>& addresses);
    explicit ProcessImage(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace epaudit
