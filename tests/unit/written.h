// SPDX-License-Identifier: Apache-2.0
// A report as it is written.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

#include "src/report/formats.h"

namespace epaudit {

inline std::string in_format(const char* name, const Report& report)
{
    const Format* format = find_format(name);
    if (!format)
        return std::string("no format ") + name;
    std::ostringstream out;
    format->write(report, out);
    return out.str();
}

// How often it has that part.
inline size_t times(const std::string& text, std::string_view part)
{
    size_t found = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
        found++;
    return found;
}

}  // namespace epaudit
