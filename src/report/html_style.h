// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace epaudit {

extern const char* const kHtmlStyle;  // CSS

}  // namespace epaudit
