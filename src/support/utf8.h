// SPDX-License-Identifier: Apache-2.0
// Names that programs choose are bytes; reports, baselines and configuration are text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace epaudit {

// What reports and baselines show instead of a byte that is no text: U+FFFD.
inline constexpr std::string_view kNoText = "\xef\xbf\xbd";

// Length of the UTF-8 sequence that begins here; 0: it is none. As RFC 3629: shortest form, no surrogates.
size_t utf8_length(std::string_view text);
// Each byte that belongs to no such sequence becomes `instead`.
std::string with_valid_utf8(std::string_view text, std::string_view instead);
// As reports, baselines and recordings show it: a finding is known again by that, byte for byte.
inline std::string as_text(std::string_view bytes) { return with_valid_utf8(bytes, kNoText); }

}  // namespace epaudit
