// SPDX-License-Identifier: Apache-2.0
// From a frame to its caller where no unwind table helps. What it reads, a program chose: each step is checked, and goes
// up the stack, so that the walk ends.
#pragma once

#include <cstdint>
#include <functional>

#include "src/symbols/code_map.h"
#include "src/symbols/stack_slice.h"

namespace epaudit {

struct FramePlace {
    uint64_t pc = 0;
    uint64_t sp = 0;
    uint64_t fp = 0;  // the frame pointer register
};

// Code of the process: true when all `size` bytes at `address` could be read.
using ReadCode = std::function<bool(uint64_t address, void* into, size_t size)>;

// Does a call stand before this address?
bool follows_call(uint64_t address, const ReadCode& read);

// By the chain of saved frame pointers: a guess, for the register may hold anything. It must lie in the slice, above the
// stack pointer, aligned, and the word above it must be an address of code: behind a call,
// if a file holds that code.
bool step_by_frame_pointer(const StackSlice& slice, const CodeMap& code, const ReadCode& read, FramePlace& at);

// CPython's trampolines for -X perf (3.12 and later) leave the frame pointer alone, and no table covers them; but they are
// 11 bytes that never differ: the frame is the word they keep free and the return address.
bool step_over_python_trampoline(const StackSlice& slice, const ReadCode& read, FramePlace& at);

}  // namespace epaudit
