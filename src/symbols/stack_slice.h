// SPDX-License-Identifier: Apache-2.0
// A user stack as it was captured: registers and a piece of memory.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bpf/python.h"

namespace epaudit {

#if defined(__aarch64__)
constexpr unsigned kDwarfRegisters = 32;  // x0..x30, sp
#else
constexpr unsigned kDwarfRegisters = 17;  // rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8..r15, rip
#endif

struct StackSlice {
    uint32_t pid = 0;
    uint64_t pc = 0;
    std::array<uint64_t, kDwarfRegisters> registers{};  // by DWARF number
    uint64_t start = 0;                                 // address of bytes[0]
    std::vector<uint8_t> bytes;
    std::vector<python_frame> python{};  // innermost first; none: it is no Python program, as far as was known

    // The word at this address; false where the slice does not hold it.
    bool read(uint64_t address, uint64_t& word) const;
};

// From the kernel's struct pt_regs (struct user_pt_regs on arm64).
void set_registers(StackSlice& slice, const uint64_t* pt_regs);

}  // namespace epaudit
