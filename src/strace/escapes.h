// SPDX-License-Identifier: Apache-2.0
// What was put in place of a log's characters, undone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace epaudit {

bool is_ascii(std::string_view text);
// "&lt;" and the like.
std::string without_entities(std::string_view text);
// "<span class=...>" of a page.
std::string without_tags(std::string_view text);
bool begins_with_tag(std::string_view text);
// "=3D": quoted-printable, as mail has it.
std::string without_codes(std::string_view text);
// Without what editors and chat clients put in place of what was typed.
std::string without_typography(std::string_view text);
// "\\_" and the like, as Markdown has it.
std::string without_escapes(std::string_view text);
// Ends of lines that are spelt "\\n", but not those that strace spelt in a string.
std::string with_newlines(std::string_view text);

// How the quotes inside a quoted string are told from its end.
enum class Quoting : uint8_t {
    kEscaped,  // by a backslash
    kDoubled,  // by another one (CSV, YAML)
    kNone,     // they are not: somebody put quotes around a line
};
// The string that begins here and ends with this quote. `length`: of what was read.
std::string unquoted(std::string_view text, char quote, Quoting quoting, size_t& length);

}  // namespace epaudit
