// SPDX-License-Identifier: Apache-2.0
// Inside of ProcessImage; nobody else includes this.
#pragma once

#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <map>
#include <memory>

#include "src/symbols/process_image.h"

namespace epaudit {

struct DwflDeleter {
    void operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }
};

struct ProcessImage::Impl {
    uint32_t pid = 0;
    uint64_t started = 0;  // by /proc/PID/stat; with the executable's inode it tells processes and programs apart
    dev_t device = 0;
    ino_t inode = 0;
    std::unique_ptr<Dwfl, DwflDeleter> dwfl;
    bool attached = false;                         // the unwinder's callbacks are in place
    const StackSlice* slice = nullptr;             // being unwound
    std::map<uint64_t, std::vector<Frame>> known;  // by address looked up
};

// Frames of one address: those inlined there, innermost first, then the function itself.
std::vector<Frame> frames_of(Dwfl* dwfl, uint64_t address);
const Dwfl_Thread_Callbacks& slice_callbacks();
// Do unwind tables cover this address? Without them libdwfl would guess from the frame pointer register, which is
// rarely one.
bool can_unwind(Dwfl* dwfl, uint64_t address);

}  // namespace epaudit
