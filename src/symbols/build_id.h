// SPDX-License-Identifier: Apache-2.0
// Which build of a program this is, by the note that its linker left.
#pragma once

#include <string>

namespace epaudit {

// In hex; empty when the file cannot be read or has none.
std::string build_id(const std::string& path);

}  // namespace epaudit
