// SPDX-License-Identifier: Apache-2.0
#include "src/books/duration.h"

#include <fmt/format.h>

namespace epaudit {

std::string seconds_text(double seconds)
{
    if (seconds > 0 && seconds < 0.001)
        return fmt::format("{:.0f} us", seconds * 1e6);
    if (seconds > 0 && seconds < 1)
        return fmt::format("{:.0f} ms", seconds * 1000);
    if (!(seconds >= 120))  // what is no number as well
        return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<uint64_t>(seconds);
    if (whole < 7200)
        return fmt::format("{} min {} s", whole / 60, whole % 60);
    if (whole < 48 * 3600)
        return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
    return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

}  // namespace epaudit
