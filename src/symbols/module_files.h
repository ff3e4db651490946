// SPDX-License-Identifier: Apache-2.0
// What reading the symbols of a process takes, of whoever may look at it: descriptors, its map, and bytes of its code. What
// is in the files is read elsewhere (symbols_child.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "src/support/descriptor.h"

namespace epaudit {

// Of its code no more is read at once: an instruction or two.
constexpr size_t kMostCodeBytes = 16;

class ModuleFiles {
public:
    virtual ~ModuleFiles() = default;
    // The module that begins at `base`. `path`: a name beside which debug information may lie.
    virtual Descriptor open(uint64_t base, std::string& path) = 0;
    // Its root directory, by which one may look for more; nothing: that is not to be had.
    virtual Descriptor root() = 0;
    // The names that it gives to code made at run time; nothing: it has written none, or has ended.
    virtual Descriptor perf_map() = 0;
    // True: all `size` bytes are there, and are code.
    virtual bool read_code(uint64_t address, void* into, size_t size) = 0;
    // Its map as it is now; empty: it is what was told last, as far as we know.
    virtual std::string maps() = 0;
};

}  // namespace epaudit
