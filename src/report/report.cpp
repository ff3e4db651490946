// SPDX-License-Identifier: Apache-2.0
#include "src/report/report.h"

#include <algorithm>

namespace epaudit {

bool Observation::complete() const
{
    return std::none_of(lost.begin(), lost.end(), [](const auto& one) { return one.second > 0; });
}

}  // namespace epaudit
