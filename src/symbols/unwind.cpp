// SPDX-License-Identifier: Apache-2.0
// What libdwfl's unwinder asks of us: the registers to start from, and words of the stack. Everything else it
// finds in the modules' unwind tables, so no frame pointers are needed.
#include <elfutils/libdw.h>

#include <cstdlib>

#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

// `argument` is the address of Impl::slice.
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

}  // namespace epaudit
