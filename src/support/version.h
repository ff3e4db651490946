// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace epaudit {

// "0.1.0 (1a2b0da4c)": with the commit that it was built from, and "-dirty" when files had been changed; the number
// alone where no git was there to ask. Reports hold EPAUDIT_VERSION, the number.
std::string version_text();

}  // namespace epaudit
