// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace epaudit {

// C++ and Rust names (both manglings) as their authors wrote them; anything else as it is.
std::string demangled(const std::string& symbol);

}  // namespace epaudit
