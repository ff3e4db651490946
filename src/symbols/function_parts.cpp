// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/function_parts.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

namespace epaudit {
namespace {

constexpr uint64_t kMostCode = 1 << 20;  // bytes of a function
constexpr uint64_t kMostStarts = 1 << 20;

int32_t signed_at(const std::vector<uint8_t>& bytes, size_t at)
{
    int32_t value;
    memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
}

// The second byte of a short jump over 15 bytes (70 to 7F, EB) is no first byte of a far one. That a far one follows an
// instruction which ends in such a byte is rarer, and then a part of a function stays without a name.
bool ends_short_jump(const std::vector<uint8_t>& code, size_t at)
{
    return at > 0 && ((code[at - 1] & 0xf0) == 0x70 || code[at - 1] == 0xeb);
}

// jmp rel32 (E9) and jcc rel32 (0F 80 to 0F 8F). Two that lead equally far are hardly two jumps: another instruction holds these
// bytes, and stands there twice.
std::vector<uint64_t> x86_jumps(const std::vector<uint8_t>& code, uint64_t address)
{
    std::vector<uint64_t> targets;
    std::set<int32_t> distances;
    for (size_t at = 0; at + 5 <= code.size(); at++) {
        const bool conditional = at > 0 && code[at - 1] == 0x0f && (code[at] & 0xf0) == 0x80 &&
                                 !ends_short_jump(code, at - 1);
        if ((code[at] == 0xe9 || conditional) && distances.insert(signed_at(code, at + 1)).second)
            targets.push_back(address + at + 5 + static_cast<uint64_t>(int64_t{signed_at(code, at + 1)}));
    }
    return targets;
}

// `count` bits from `first` on, as a signed number of instructions, in bytes.
uint64_t distance(uint32_t word, int first, int count)
{
    return static_cast<uint64_t>(int64_t{static_cast<int32_t>(word << (32 - first - count))} >> (32 - count)) * 4;
}

// B, B.cond, CBZ and CBNZ, TBZ and TBNZ.
std::vector<uint64_t> arm_jumps(const std::vector<uint8_t>& code, uint64_t address)
{
    std::vector<uint64_t> targets;
    for (size_t at = 0; at + 4 <= code.size(); at += 4) {
        const auto word = static_cast<uint32_t>(signed_at(code, at));
        if ((word & 0xfc000000) == 0x14000000)
            targets.push_back(address + at + distance(word, 0, 26));
        else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
            targets.push_back(address + at + distance(word, 5, 19));
        else if ((word & 0x7e000000) == 0x36000000)
            targets.push_back(address + at + distance(word, 5, 14));
    }
    return targets;
}

unsigned machine_of(Elf* elf)
{
    GElf_Ehdr header;
    return gelf_getehdr(elf, &header) ? header.e_machine : EM_NONE;
}

}  // namespace

std::vector<uint64_t> jumps_out_of(const std::vector<uint8_t>& code, uint64_t address, unsigned machine)
{
    std::vector<uint64_t> targets;
    if (machine == EM_X86_64)
        targets = x86_jumps(code, address);
    else if (machine == EM_AARCH64)
        targets = arm_jumps(code, address);
    std::erase_if(targets, [&](uint64_t target) { return target >= address && target - address < code.size(); });
    return targets;
}

// Bytes: version (1), how the pointer to .eh_frame is written, how the count is (3: 4 bytes), how the table is (0x3b: 4
// bytes each, signed, from the section's start on); that pointer, the count, then for each: where its code begins, and its entry.
std::vector<uint64_t> code_starts(const ElfContents& contents)
{
    constexpr size_t kHead = 12, kEntry = 8;
    std::vector<uint64_t> starts;
    if (!contents.unwinding())
        return starts;
    const GElf_Phdr& header = *contents.unwinding();
    const std::vector<uint8_t> table = contents.bytes(header.p_vaddr,
                                                      std::min(header.p_filesz, kHead + kMostStarts * kEntry));
    if (table.size() < kHead || table[0] != 1 || table[2] != 3 || table[3] != 0x3b)
        return starts;
    for (size_t at = kHead; at + kEntry <= table.size(); at += kEntry)
        starts.push_back(header.p_vaddr + static_cast<uint64_t>(int64_t{signed_at(table, at)}));
    std::sort(starts.begin(), starts.end());
    return starts;
}

std::vector<FunctionPart> other_parts(Elf* elf, const ElfContents& contents, const FunctionPart& part)
{
    const std::vector<uint64_t> starts = code_starts(contents);
    const std::vector<uint8_t> code = contents.bytes(part.first, std::min(part.second - part.first, kMostCode));
    std::map<uint64_t, std::set<uint64_t>> targets_of;  // by where the code begins
    for (uint64_t target : jumps_out_of(code, part.first, machine_of(elf)))
        if (const auto behind = std::upper_bound(starts.begin(), starts.end(), target);
            behind != starts.begin() && behind != starts.end())
            targets_of[*std::prev(behind)].insert(target);
    std::vector<FunctionPart> parts;
    for (const auto& [start, targets] : targets_of)
        if (targets.size() >= 2 && (start < part.first || start >= part.second))
            parts.emplace_back(start, *std::upper_bound(starts.begin(), starts.end(), start));
    return parts;
}

}  // namespace epaudit
