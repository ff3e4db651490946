// SPDX-License-Identifier: Apache-2.0
#include "src/support/utf8.h"

#include <cstdint>

namespace epaudit {

size_t utf8_length(std::string_view text)
{
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint8_t first = byte(0);
    if (first < 0x80)
        return 1;
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte(i) & 0xc0) != 0x80)
            return 0;
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    const bool beyond = first == 0xf4 && byte(1) >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

std::string with_valid_utf8(std::string_view text, std::string_view instead)
{
    std::string out;
    while (!text.empty()) {
        const size_t length = utf8_length(text);
        out += length ? text.substr(0, length) : instead;
        text.remove_prefix(length ? length : 1);
    }
    return out;
}

}  // namespace epaudit
