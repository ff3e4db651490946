// SPDX-License-Identifier: Apache-2.0
// What reads ELF, DWARF, Go's tables and perf maps: the inside of the symbols child (symbols_child.h); nobody else includes
// this.
#pragma once

#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/symbols/code_map.h"
#include "src/symbols/frame_step.h"
#include "src/symbols/go_table.h"
#include "src/symbols/module_files.h"
#include "src/symbols/perf_map_file.h"
#include "src/symbols/process_image.h"
#include "src/symbols/python_layout.h"

namespace epaudit {

struct DwflDeleter {
    void operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }
};

struct ElfDeleter {
    void operator()(Elf* elf) const { elf_end(elf); }
};

// The modules of one process, by what /proc/PID/maps says, and the code that none of them holds.
struct ModuleMap {
    // `module_files` outlives it.
    ModuleMap(uint32_t process, ModuleFiles& module_files);
    ModuleMap(const ModuleMap&) = delete;
    ModuleMap& operator=(const ModuleMap&) = delete;

    // Modules that are still there are kept as they are.
    bool read(const std::string& maps);
    // Innermost first; none: the unwinder does not know this code at all.
    std::vector<CodeAddress> unwind(const StackSlice& slice);
    // Of code that was made at run time, which may be something else by the time a finding asks. True: there is a new name.
    bool name_made_code(std::vector<CodeAddress>& addresses);
    std::vector<Frame> frames_of(const CodeAddress& address);
    // Nothing: no interpreter of Python is in it, or not one that exports what it is.
    std::optional<PythonInterpreter> python();

    const uint32_t pid;
    ModuleFiles& files;
    // Tells libdwfl's unwinder which machine this is. It would ask the first module, and go on asking it after that one is gone from
    // the map: run-times unmap and map their own code.
    std::unique_ptr<Elf, ElfDeleter> machine;
    std::unique_ptr<Dwfl, DwflDeleter> dwfl;
    bool attached = false;              // the unwinder's callbacks are in place
    const StackSlice* slice = nullptr;  // being unwound
    CodeMap code;                       // as it was read last
    PerfMapFile perf_map;
    std::map<std::pair<std::string, uint64_t>, std::optional<GoTable>> go_tables;  // by module and where it starts
};

// Frames of one address: those inlined there, innermost first, then the function itself.
std::vector<Frame> frames_of(Dwfl* dwfl, uint64_t address);
// As Go's own table knows it, if debug information does not: names, files and lines are put into `frames`.
void add_go_names(ModuleMap& map, uint64_t address, std::vector<Frame>& frames);
// No file holds it: it was made at run time.
bool is_made_code(const ModuleMap& map, uint64_t address);
// From a frame of Go code to its caller.
bool step_by_go_table(ModuleMap& map, const StackSlice& slice, uint64_t looked_up, FramePlace& at);
const Dwfl_Thread_Callbacks& slice_callbacks();
// Do unwind tables cover this address? Without them libdwfl would guess from the frame pointer register, which is
// rarely one.
bool can_unwind(Dwfl* dwfl, uint64_t address);

}  // namespace epaudit
