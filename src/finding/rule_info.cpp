// SPDX-License-Identifier: Apache-2.0
#include "src/finding/rule_info.h"

namespace epaudit {

const char* unit_name(Unit unit)
{
    switch (unit) {
    case Unit::kSeconds: return "s";
    case Unit::kPerSecond: return "per s";
    case Unit::kShare: return "share";
    case Unit::kCount: return "count";
    case Unit::kBytes: return "bytes";
    case Unit::kSwitch: return "0 or 1";
    }
    return "?";
}

bool names_rule(std::string_view id, std::string_view name, std::string_view text)
{
    bool family = text.size() >= 3 && text.substr(0, 2) == "EP" && id.substr(0, text.size()) == text;
    return family || text == name;
}

}  // namespace epaudit
