// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/stack_slice.h"

#include <cstring>

namespace epaudit {

bool StackSlice::read(uint64_t address, uint64_t& word) const
{
    if (address < start || address - start > bytes.size() || bytes.size() - (address - start) < sizeof(word))
        return false;
    memcpy(&word, bytes.data() + (address - start), sizeof(word));
    return true;
}

void set_registers(StackSlice& slice, const uint64_t* pt_regs)
{
#if defined(__aarch64__)
    for (unsigned i = 0; i < kDwarfRegisters; i++)
        slice.registers[i] = pt_regs[i];
    slice.pc = pt_regs[32];
#else
    // pt_regs: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss
    constexpr unsigned kPlace[kDwarfRegisters] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16};
    for (unsigned i = 0; i < kDwarfRegisters; i++)
        slice.registers[i] = pt_regs[kPlace[i]];
    slice.pc = pt_regs[16];
#endif
}

}  // namespace epaudit
