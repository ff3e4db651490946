// SPDX-License-Identifier: Apache-2.0
// Finds Go's table in an ELF file, and what belongs to it: by section, or, where the section headers are gone, by its magic.
#pragma once

#include <libelf.h>

#include <optional>

#include "src/symbols/go_table.h"

namespace epaudit {

// Of a little-endian 64-bit file; nothing: it is no Go program, or of a version before 1.18.
std::optional<GoTable> go_table_of(Elf* elf);

}  // namespace epaudit
