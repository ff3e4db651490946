// SPDX-License-Identifier: Apache-2.0
// Where a process may execute code, by the text of /proc/PID/maps: what a return address may be, and which language
// run-time made the code that no file holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

struct CodeRange {
    uint64_t start = 0;
    uint64_t end = 0;
    bool anonymous = false;  // no file holds this code: it was made at run time
    std::string name;
};

// Run-times that make code while the program runs, or that keep their frames elsewhere than on the stack.
enum class Runtime { kNone, kNode, kJava, kDotnet, kErlang, kPython };

class CodeMap {
public:
    CodeMap() = default;
    explicit CodeMap(std::string_view maps);

    const CodeRange* find(uint64_t address) const;  // nullptr: nothing executable lies there
    Runtime runtime() const { return runtime_; }

private:
    std::vector<CodeRange> ranges_;  // ascending
    Runtime runtime_ = Runtime::kNone;
};

// What would name the frames of code made at run time, as one sentence; empty: nothing is known.
std::string naming_hint(Runtime runtime);

}  // namespace epaudit
