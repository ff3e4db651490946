// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace epaudit {

// Something in the policy that wants attention.
struct PolicyRemark {
    std::string what;   // "unused suppression", "expired suppression", "stale baseline entry", "changed finding"
    std::string where;  // "epaudit.toml:12"
    std::string text;   // one sentence, no full stop
};

}  // namespace epaudit
