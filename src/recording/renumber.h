// SPDX-License-Identifier: Apache-2.0
// A recording leaves the machine it was made on. The addresses of kernel objects in it would tell where that kernel lies in
// memory; only which of them are the same counts. So they are written as other numbers, by a key that is thrown away.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace epaudit {

class Renumbering {
public:
    Renumbering();  // with a key of its own

    // Of an address in the kernel another number, the same each time; anything else as it is.
    uint64_t of(uint64_t value) const;
    // All that are in a record.
    void apply(uint32_t type, char* record, size_t size) const;

private:
    std::array<uint32_t, 4> key_{};
};

}  // namespace epaudit
