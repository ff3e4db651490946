// SPDX-License-Identifier: Apache-2.0
// Schema "epaudit/1". Fields may be added within version 1, none renamed or removed. Holds every finding,
// whatever the gate and --risks say. Text that is not UTF-8 is mended with U+FFFD.
#pragma once

#include <iosfwd>

#include "src/report/report.h"

namespace epaudit {

void write_json(const Report& report, std::ostream& out);

}  // namespace epaudit
