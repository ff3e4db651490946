// SPDX-License-Identifier: Apache-2.0
// Which build of a program this is, by the note that its linker left.
#pragma once

#include <cstdint>
#include <string>

namespace epaudit {

// Of the program that a process runs, in hex, as the symbols child reads it; empty when that cannot be read or has none.
std::string build_id(uint32_t pid);

// In the child itself.
std::string build_id_of(int file);

}  // namespace epaudit
