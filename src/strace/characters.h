// SPDX-License-Identifier: Apache-2.0
// Kinds of bytes in a log, whatever the locale.
#pragma once

namespace epaudit {

constexpr bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace epaudit
