// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "src/finding/finding.h"

namespace epaudit {

// The entries that would suppress these findings, ready for epaudit.toml but for their reason.
std::string suppressions_text(const std::vector<const Finding*>& findings);

}  // namespace epaudit
