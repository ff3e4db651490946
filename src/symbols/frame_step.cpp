// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/frame_step.h"

#include <cstring>

namespace epaudit {
namespace {

#if !defined(__aarch64__)
// Of FF /2, the indirect call: how many bytes with this ModRM byte, after it, and a SIB byte where it has one.
size_t indirect_length(uint8_t modrm, uint8_t sib)
{
    if ((modrm >> 3 & 7) != 2)
        return 0;
    const uint8_t mode = modrm >> 6, base = modrm & 7;
    if (mode == 3)
        return 2;
    size_t length = 2;
    if (base == 4)
        length += 1 + (mode == 0 && (sib & 7) == 5 ? 4 : 0);
    else if (mode == 0 && base == 5)
        length += 4;
    return length + (mode == 1 ? 1 : mode == 2 ? 4 : 0);
}
#endif

}  // namespace

bool follows_call(uint64_t address, const ReadCode& read)
{
#if defined(__aarch64__)
    uint32_t word = 0;
    return address > 4 && read(address - 4, &word, sizeof(word)) &&
           ((word & 0xfc000000) == 0x94000000 || (word & 0xfffffc1f) == 0xd63f0000);
#else
    constexpr size_t kLongest = 7;
    uint8_t code[kLongest];
    if (address < kLongest || !read(address - kLongest, code, kLongest))
        return false;
    if (code[kLongest - 5] == 0xe8)
        return true;
    for (size_t length = 2; length <= kLongest; length++) {
        const uint8_t* at = code + kLongest - length;
        if (at[0] == 0xff && indirect_length(at[1], length > 2 ? at[2] : 0) == length)
            return true;
    }
    return false;
#endif
}

bool step_by_frame_pointer(const StackSlice& slice, const CodeMap& code, const ReadCode& read, FramePlace& at)
{
    uint64_t saved = 0, back = 0;
    if (at.fp % sizeof(uint64_t) || at.fp < at.sp || at.fp < slice.start || !slice.read(at.fp, saved) ||
        !slice.read(at.fp + sizeof(uint64_t), back))
        return false;
    const CodeRange* caller = code.find(back);
    // Interpreters made at run time push the address they want to come back to, and jump.
    if (!caller || (!caller->anonymous && !follows_call(back, read)))
        return false;
    at = {back, at.fp + 2 * sizeof(uint64_t), saved};
    return true;
}

bool step_over_python_trampoline(const StackSlice& slice, const ReadCode& read, FramePlace& at)
{
#if defined(__aarch64__)
    (void)slice, (void)read, (void)at;
    return false;
#else
    // sub $8,%rsp; call *%rcx; add $8,%rsp; ret
    constexpr uint8_t kTrampoline[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3};
    constexpr uint64_t kBehindCall = 6;
    uint8_t code[sizeof(kTrampoline)];
    uint64_t back = 0;
    if (at.pc < kBehindCall || !read(at.pc - kBehindCall, code, sizeof(code)) ||
        memcmp(code, kTrampoline, sizeof(code)) != 0 || !slice.read(at.sp + sizeof(uint64_t), back))
        return false;
    at = {back, at.sp + 2 * sizeof(uint64_t), at.fp};
    return true;
#endif
}

}  // namespace epaudit
