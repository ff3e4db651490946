// SPDX-License-Identifier: Apache-2.0
#include "src/finding/rule_info.h"

namespace epaudit {

bool names_rule(std::string_view id, std::string_view name, std::string_view text)
{
    bool family = text.size() >= 3 && text.substr(0, 2) == "EP" && id.substr(0, text.size()) == text;
    return family || text == name;
}

}  // namespace epaudit
