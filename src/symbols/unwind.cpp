// SPDX-License-Identifier: Apache-2.0
// What libdwfl's unwinder asks of us: the registers to start from, and words of the stack. Everything else it
// finds in the modules' unwind tables, so no frame pointers are needed.
#include <elfutils/libdw.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

// `argument` is the address of ModuleMap::slice.
const StackSlice& slice_of(void* argument) { return **static_cast<const StackSlice**>(argument); }

pid_t next_thread(Dwfl*, void*, void**) { return 0; }

// Whatever its number, it is the one whose slice is at hand.
bool get_thread(Dwfl*, pid_t, void* argument, void** thread)
{
    *thread = argument;
    return true;
}

bool memory_read(Dwfl*, Dwarf_Addr address, Dwarf_Word* result, void* argument)
{
    uint64_t word = 0;
    if (!slice_of(argument).read(address, word))
        return false;  // beyond the slice: the outermost frames are missing
    *result = word;
    return true;
}

bool set_initial_registers(Dwfl_Thread* thread, void* argument)
{
    const StackSlice& slice = slice_of(argument);
    if (!dwfl_thread_state_registers(thread, 0, kDwarfRegisters, slice.registers.data()))
        return false;
    dwfl_thread_state_register_pc(thread, slice.pc);
    return true;
}

const Dwfl_Thread_Callbacks kSliceCallbacks = {next_thread,           get_thread, memory_read,
                                               set_initial_registers, nullptr,    nullptr};

}  // namespace

static bool covers(Dwarf_CFI* table, uint64_t address)
{
    Dwarf_Frame* frame = nullptr;
    if (!table || dwarf_cfi_addrframe(table, address, &frame))
        return false;
    free(frame);
    return true;
}

bool can_unwind(Dwfl* dwfl, uint64_t address)
{
    Dwfl_Module* module = dwfl_addrmodule(dwfl, address);
    Dwarf_Addr bias = 0;
    if (!module)
        return false;
    Dwarf_CFI* table = dwfl_module_eh_cfi(module, &bias);
    if (covers(table, address - bias))
        return true;
    table = dwfl_module_dwarf_cfi(module, &bias);  // Go has only this one
    return covers(table, address - bias);
}

const Dwfl_Thread_Callbacks& slice_callbacks() { return kSliceCallbacks; }

namespace {

constexpr size_t kMostFrames = 64;
#if defined(__aarch64__)
constexpr unsigned kStackPointer = 31, kFramePointer = 29;
#else
constexpr unsigned kStackPointer = 7, kFramePointer = 6;
#endif

// One walk: by the unwind tables where there are some, else by the frame pointer, and by the tables again.
struct Walk {
    ModuleMap& map;
    const StackSlice& slice;
    std::vector<CodeAddress> found{};
    FramePlace at{};       // the last frame found, where no table covers it
    bool exact = true;     // `at` is no return address
    bool moved = false;    // the tables begin at a return address, of which covered_frames() took one
    bool guessed = false;  // so is all that is reached through a guess
    bool refreshed = false;
    bool uncovered = true;  // the tables ended at `at`
};

// The header of an ELF file is all it takes.
std::unique_ptr<Elf, ElfDeleter> own_machine()
{
    static Elf64_Ehdr header = [] {
        Elf64_Ehdr h{};
        memcpy(h.e_ident, ELFMAG, SELFMAG);
        h.e_ident[EI_CLASS] = ELFCLASS64;
        h.e_ident[EI_DATA] = ELFDATA2LSB;
        h.e_ident[EI_VERSION] = EV_CURRENT;
        h.e_type = ET_CORE;
#if defined(__aarch64__)
        h.e_machine = EM_AARCH64;
#else
        h.e_machine = EM_X86_64;
#endif
        h.e_version = EV_CURRENT;
        h.e_ehsize = sizeof(h);
        return h;
    }();
    elf_version(EV_CURRENT);
    return std::unique_ptr<Elf, ElfDeleter>(elf_memory(reinterpret_cast<char*>(&header), sizeof(header)));
}

uint64_t looked_up(uint64_t pc, bool exact) { return pc - (exact ? 0 : 1); }

int on_frame(Dwfl_Frame* frame, void* argument)
{
    Walk& walk = *static_cast<Walk*>(argument);
    Dwarf_Addr pc = 0;
    bool exact = false;
    if (!dwfl_frame_pc(frame, &pc, &exact) || !pc || walk.found.size() >= kMostFrames)
        return DWARF_CB_ABORT;
    if (std::exchange(walk.moved, false)) {
        exact = false;
        pc++;
    }
    walk.found.push_back({pc, exact, walk.guessed});
    if (can_unwind(walk.map.dwfl.get(), looked_up(pc, exact)))
        return DWARF_CB_OK;
    walk.at.pc = pc;
    walk.exact = exact;
    walk.uncovered = !dwfl_frame_reg(frame, kStackPointer, &walk.at.sp) &&
                     !dwfl_frame_reg(frame, kFramePointer, &walk.at.fp);
    return DWARF_CB_ABORT;
}

// From `at` outwards, as far as there are tables.
void covered_frames(Walk& walk)
{
    ModuleMap& map = walk.map;
    if (!map.attached && (map.machine = own_machine()))
        map.attached = dwfl_attach_state(map.dwfl.get(), map.machine.get(), static_cast<pid_t>(map.pid),
                                         &slice_callbacks(), &map.slice);
    walk.uncovered = false;
    if (!map.attached)
        return;
    StackSlice moved;
    map.slice = &walk.slice;
    if (!walk.found.empty() || !walk.exact) {
        moved = walk.slice;
        moved.pc = looked_up(walk.at.pc, walk.exact);
        moved.registers[kStackPointer] = walk.at.sp;
        moved.registers[kFramePointer] = walk.at.fp;
        map.slice = &moved;
        walk.moved = !walk.exact;
    }
    dwfl_getthread_frames(map.dwfl.get(), static_cast<pid_t>(map.pid), on_frame, &walk);
    map.slice = nullptr;
}

// To the caller of a frame that no table covers.
bool step(Walk& walk)
{
    const ReadCode read = [&](uint64_t address, void* into, size_t size) {
        return walk.map.files.read_code(address, into, size);
    };
    if (step_by_go_table(walk.map, walk.slice, looked_up(walk.at.pc, walk.exact), walk.at)) {
        walk.exact = false;
        return true;
    }
    if (!walk.exact && step_over_python_trampoline(walk.slice, read, walk.at))
        return true;
    walk.exact = false;
    walk.guessed = true;
    if (step_by_frame_pointer(walk.slice, walk.map.code, read, walk.at))
        return true;
    // The caller may lie in code that was mapped since.
    return !std::exchange(walk.refreshed, true) && walk.map.read(walk.map.files.maps()) &&
           step_by_frame_pointer(walk.slice, walk.map.code, read, walk.at);
}

}  // namespace

// libdwfl takes what lies between two mappings of one file as a part of it.
bool is_made_code(const ModuleMap& map, uint64_t address)
{
    const CodeRange* range = map.code.find(address);
    return range ? range->anonymous : !dwfl_addrmodule(map.dwfl.get(), address);
}

bool ModuleMap::name_made_code(std::vector<CodeAddress>& addresses)
{
    bool more = false;
    const PerfMap* names = nullptr;
    bool asked = false;
    for (CodeAddress& address : addresses) {
        const uint64_t at = looked_up(address.pc, address.exact);
        if (address.named || !is_made_code(*this, at))
            continue;
        if (!std::exchange(asked, true))
            names = perf_map.read(files.perf_map());
        if (std::optional<Frame> frame = names ? names->find(at) : std::nullopt) {
            address.named = std::make_shared<const Frame>(std::move(*frame));
            more = true;
        }
    }
    return more;
}

std::vector<CodeAddress> ModuleMap::unwind(const StackSlice& from)
{
    if (!dwfl)
        return {};
    Walk walk{*this, from};
    walk.at = {from.pc, from.registers[kStackPointer], from.registers[kFramePointer]};
    while (walk.found.size() < kMostFrames) {
        if (can_unwind(dwfl.get(), looked_up(walk.at.pc, walk.exact)))
            covered_frames(walk);
        else
            walk.found.push_back({walk.at.pc, walk.exact, walk.guessed});
        if (!walk.uncovered || !step(walk))
            break;
    }
    name_made_code(walk.found);
    return walk.found;
}

}  // namespace epaudit
