// SPDX-License-Identifier: Apache-2.0
// The trail that leads to a finding, as plain data: entries of a timeline, and user stacks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace epaudit {

// Which side of the books an entry of the timeline is on; drawn as a lane of its own.
enum class Lane { kDelivered, kRead, kWrite, kControl, kOther };

const char* lane_name(Lane lane);  // "delivered", "read", "write", "epoll_ctl", "other"

struct TimelineEntry {
    double t = 0;      // seconds since observation began
    std::string what;  // "delivered EPOLLOUT", "read 4 of 4 bytes"
    uint32_t tid = 0;
    Lane lane = Lane::kOther;
};

// One frame of a user stack. What is not known is empty or 0; a report shows what there is.
struct Frame {
    std::string function;   // demangled
    std::string file;       // source file, as the debug information names it
    int line = 0;           // from 1
    std::string module{};   // path of the executable or library it lies in
    uint64_t offset = 0;    // into the module's file, as addr2line takes it; counts only with a module
    bool inlined = false;   // into the frame after it
    bool guessed = false;   // reached by the frame pointer, through code that no unwind table covers
    bool at_start = false;  // the line is where the function begins: its run-time tells no more
};

// A function of the program that only passes epoll_ctl on.
struct Helper {
    std::string function;
    std::string file;
    bool operator==(const Helper&) const = default;
};

struct Stack {
    std::string what;               // its role: "armed here", "last read here", "waits here", "blocked in"
    std::vector<Frame> frames;      // innermost first
    std::string hint{};             // what would name the frames that have no name; may be empty
    std::vector<Helper> helpers{};  // of an epoll_ctl: what all those of the program come through (evidence/place.h)
};

}  // namespace epaudit
