// SPDX-License-Identifier: Apache-2.0
// What a loaded file holds, by address. For the symbols child only (symbols_child.h).
#pragma once

#include <gelf.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace epaudit {

class ElfContents {
public:
    explicit ElfContents(Elf* elf);

    const std::vector<GElf_Phdr>& loads() const { return loads_; }

    // Its table of where code begins that has unwinding information (PT_GNU_EH_FRAME).
    const std::optional<GElf_Phdr>& unwinding() const { return unwinding_; }

    // From `address` on, at most so many bytes, and no more than its part of the file has.
    std::vector<uint8_t> bytes(uint64_t address, uint64_t most) const;

protected:
    Elf* elf_;

private:
    std::vector<GElf_Phdr> loads_;
    std::optional<GElf_Phdr> unwinding_;
};

}  // namespace epaudit
