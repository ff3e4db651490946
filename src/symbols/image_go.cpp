// SPDX-License-Identifier: Apache-2.0
// What Go's own table says of the code of a process: of programs without debug information, and how to get to the caller
// in code that no unwind table covers.
#include "src/symbols/go_elf.h"
#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

// `bias`: how far the module lies from where its file says.
const GoTable* table_at(ModuleMap& map, uint64_t address, uint64_t& bias)
{
    Dwfl_Module* module = dwfl_addrmodule(map.dwfl.get(), address);
    Dwarf_Addr start = 0;
    const char* name = module ? dwfl_module_info(module, nullptr, &start, nullptr, nullptr, nullptr, nullptr, nullptr)
                              : nullptr;
    GElf_Addr moved = 0;
    Elf* elf = name && name[0] == '/' ? dwfl_module_getelf(module, &moved) : nullptr;
    if (!elf)
        return nullptr;
    bias = moved;
    auto [known, fresh] = map.go_tables.try_emplace({name, start});
    if (fresh)
        known->second = go_table_of(elf);
    return known->second ? &*known->second : nullptr;
}

}  // namespace

void add_go_names(ModuleMap& map, uint64_t address, std::vector<Frame>& frames)
{
    if (frames.empty() || !frames.back().file.empty())
        return;
    uint64_t bias = 0;
    const GoTable* table = table_at(map, address, bias);
    std::vector<Frame> found = table ? table->frames(address - bias) : std::vector<Frame>();
    if (found.empty())
        return;
    for (Frame& frame : found) {
        frame.module = frames.back().module;
        frame.offset = frames.back().offset;
    }
    frames = std::move(found);
}

bool step_by_go_table(ModuleMap& map, const StackSlice& slice, uint64_t looked_up, FramePlace& at)
{
#if defined(__aarch64__)
    (void)map, (void)slice, (void)looked_up, (void)at;
    return false;  // there the innermost frame has its return address in a register: the frame pointer does
#else
    uint64_t bias = 0, back = 0;
    const GoTable* table = table_at(map, looked_up, bias);
    const auto size = table ? table->frame_size(looked_up - bias) : std::nullopt;
    if (!size || !slice.read(at.sp + *size, back) || !map.code.find(back))
        return false;
    uint64_t saved = at.fp;
    if (*size)
        slice.read(at.sp + *size - sizeof(uint64_t), saved);
    at = {back, at.sp + *size + sizeof(uint64_t), saved};
    return true;
#endif
}

}  // namespace epaudit
