// SPDX-License-Identifier: Apache-2.0
// A compiler may put what is rare of a function far from the rest (GCC: NAME.cold), under a name that stripping removes. Of
// Debian's CPython 3.13 that is nearly all of the interpreter. It is known by this: nobody but the function itself jumps into
// the middle of it. For the symbols child only (symbols_child.h).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "src/symbols/elf_contents.h"

namespace epaudit {

using FunctionPart = std::pair<uint64_t, uint64_t>;  // from, to

// Where the direct jumps of this code lead to, those that stay inside left out. x86-64 is not disassembled: any bytes that could
// be a jump count, which a caller must expect to be wrong now and then. Other machines than that and arm64: nothing.
std::vector<uint64_t> jumps_out_of(const std::vector<uint8_t>& code, uint64_t address, unsigned machine);

// Addresses at which code with unwinding information of its own begins, in order (.eh_frame_hdr).
std::vector<uint64_t> code_starts(const ElfContents& contents);

// The other parts of the function. Two of its jumps must agree on each, since one may be no jump at all; and one must lead
// past its first instruction, where a call of another function in the last line of this one would lead.
std::vector<FunctionPart> other_parts(Elf* elf, const ElfContents& contents, const FunctionPart& part);

}  // namespace epaudit
