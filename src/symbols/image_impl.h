// SPDX-License-Identifier: Apache-2.0
// Inside of ProcessImage; nobody else includes this.
#pragma once

#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "src/symbols/code_map.h"
#include "src/symbols/frame_step.h"
#include "src/symbols/go_table.h"
#include "src/symbols/perf_map_file.h"
#include "src/symbols/process_image.h"

namespace epaudit {

struct DwflDeleter {
    void operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }
};

struct ElfDeleter {
    void operator()(Elf* elf) const { elf_end(elf); }
};

struct ProcessImage::Impl {
    uint32_t pid = 0;
    uint64_t started = 0;  // by /proc/PID/stat; with the executable's inode it tells processes and programs apart
    dev_t device = 0;
    ino_t inode = 0;
    // Tells libdwfl's unwinder which machine this is. It would ask the first module, and go on asking it after that one is gone from
    // the map: run-times unmap and map their own code.
    std::unique_ptr<Elf, ElfDeleter> machine;
    std::unique_ptr<Dwfl, DwflDeleter> dwfl;
    bool attached = false;                         // the unwinder's callbacks are in place
    const StackSlice* slice = nullptr;             // being unwound
    std::map<uint64_t, std::vector<Frame>> known;  // by address looked up
    CodeMap code;                                  // as it was read last
    std::unique_ptr<PerfMapFile> perf_map;
    std::map<std::pair<std::string, uint64_t>, std::optional<GoTable>> go_tables;  // by module and where it starts
};

// Reads the map of modules anew; 0, or why that cannot be.
int refresh(ProcessImage::Impl& impl);
// Those of the slice, innermost first; none: the unwinder does not know this code at all.
std::vector<CodeAddress> walk(ProcessImage::Impl& impl, const StackSlice& slice);

// Frames of one address: those inlined there, innermost first, then the function itself.
std::vector<Frame> frames_of(Dwfl* dwfl, uint64_t address);
// As Go's own table knows it, if debug information does not: names, files and lines are put into `frames`.
void add_go_names(ProcessImage::Impl& impl, uint64_t address, std::vector<Frame>& frames);
// No file holds it: it was made at run time.
bool is_made_code(const ProcessImage::Impl& impl, uint64_t address);
// From a frame of Go code to its caller.
bool step_by_go_table(ProcessImage::Impl& impl, const StackSlice& slice, uint64_t looked_up, FramePlace& at);
const Dwfl_Thread_Callbacks& slice_callbacks();
// Do unwind tables cover this address? Without them libdwfl would guess from the frame pointer register, which is
// rarely one.
bool can_unwind(Dwfl* dwfl, uint64_t address);

}  // namespace epaudit
