// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/elf_contents.h"

#include <algorithm>

namespace epaudit {

ElfContents::ElfContents(Elf* elf) : elf_(elf)
{
    size_t count = 0;
    if (elf_getphdrnum(elf, &count))
        return;
    for (size_t i = 0; i < std::min<size_t>(count, 256); i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(elf, static_cast<int>(i), &header))
            continue;
        if (header.p_type == PT_LOAD && header.p_filesz)
            loads_.push_back(header);
        if (header.p_type == PT_GNU_EH_FRAME && !unwinding_)
            unwinding_ = header;
    }
}

std::vector<uint8_t> ElfContents::bytes(uint64_t address, uint64_t most) const
{
    for (const GElf_Phdr& load : loads_) {
        if (address < load.p_vaddr || address - load.p_vaddr >= load.p_filesz)
            continue;
        const uint64_t within = address - load.p_vaddr;
        const uint64_t size = std::min(most, load.p_filesz - within);
        Elf_Data* data = elf_getdata_rawchunk(elf_, static_cast<int64_t>(load.p_offset + within), size, ELF_T_BYTE);
        if (!data || !data->d_buf)
            return {};
        const auto* from = static_cast<const uint8_t*>(data->d_buf);
        return {from, from + data->d_size};
    }
    return {};
}

}  // namespace epaudit
