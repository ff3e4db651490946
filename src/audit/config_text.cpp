// SPDX-License-Identifier: Apache-2.0
#include "src/audit/config_text.h"

#include <fmt/format.h>

#include <cstdint>

#include "src/support/utf8.h"

namespace epaudit {
namespace {

bool forbidden(std::string_view text)
{
    const auto c = static_cast<uint8_t>(text[0]);
    if (c == '\r')
        return text.size() < 2 || text[1] != '\n';
    return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

}  // namespace

Result<> check_config_text(std::string_view text, const std::string& file)
{
    constexpr const char* kHint = "this is not TOML: https://toml.io has its rules on one page";
    size_t line = 1;
    size_t column = 1;
    while (!text.empty()) {
        const size_t length = utf8_length(text);
        const auto first = static_cast<uint8_t>(text[0]);
        if (!length)
            return usage_error(fmt::format("{}:{}:{}: byte 0x{:02x} is not UTF-8", file, line, column, first), kHint);
        if (forbidden(text))
            return usage_error(fmt::format("{}:{}:{}: control character 0x{:02x}", file, line, column, first), kHint);
        column = first == '\n' ? 1 : column + 1;
        line += first == '\n';
        text.remove_prefix(length);
    }
    return Done{};
}

}  // namespace epaudit
