// SPDX-License-Identifier: Apache-2.0
// Kinds of bytes in a log, whatever the locale, and whether it has some.
#pragma once

#include <string_view>

namespace epaudit {

constexpr bool digit(char c) { return c >= '0' && c <= '9'; }
// Of a system call's name.
constexpr bool name_char(char c) { return (c >= 'a' && c <= 'z') || digit(c) || c == '_'; }

constexpr bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace epaudit
