// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace epaudit {

// C++ and Rust (legacy mangling) names as their authors wrote them; anything else, Rust's v0 names too, as it is.
std::string demangled(const std::string& symbol);

}  // namespace epaudit
