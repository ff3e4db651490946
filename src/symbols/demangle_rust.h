// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epaudit {

// A name in Rust's v0 mangling ("_R..."), without hashes of crates and the like; nothing: it is none. Symbols come from the
// watched program: nesting, steps and length are limited, and a name that goes beyond is left as it is.
std::optional<std::string> rust_v0_name(std::string_view symbol);

}  // namespace epaudit
