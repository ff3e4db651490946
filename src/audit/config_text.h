// SPDX-License-Identifier: Apache-2.0
// Is it text at all? The TOML parser relies on it.
#pragma once

#include <string>
#include <string_view>

#include "src/support/result.h"

namespace epaudit {

// Refuses what TOML forbids anywhere, with file, line and column (in characters): control characters other than tab
// and the ends of lines, and bytes that are not UTF-8.
Result<> check_config_text(std::string_view text, const std::string& file);

}  // namespace epaudit
