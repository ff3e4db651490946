// SPDX-License-Identifier: Apache-2.0
// Where a process may execute code, by the text of /proc/PID/maps: what a return address may be, and which language
// run-time made the code that no file holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/books/trail.h"

namespace epaudit {

struct CodeRange {
    uint64_t start = 0;
    uint64_t end = 0;
    bool anonymous = false;  // no file holds this code: it was made at run time
    std::string name;
};

// Run-times that make code while the program runs, or that keep their frames elsewhere than on the stack.
enum class Runtime { kNone, kNode, kJava, kDotnet, kErlang, kPython };

// By the name of a program or library.
Runtime runtime_of_file(std::string_view path);

class CodeMap {
public:
    CodeMap() = default;
    explicit CodeMap(std::string_view maps);

    const CodeRange* find(uint64_t address) const;  // nullptr: nothing executable lies there
    Runtime runtime() const { return runtime_; }
    bool python() const { return python_; }  // its interpreter is there, whatever else is

private:
    std::vector<CodeRange> ranges_;  // ascending
    Runtime runtime_ = Runtime::kNone;
    bool python_ = false;
};

// What would name the frames of the run-time's language that have no name, as one sentence; empty: none lacks one, or
// nothing that we know would.
std::string missing_names(Runtime runtime, const std::vector<Frame>& frames);

}  // namespace epaudit
