// SPDX-License-Identifier: Apache-2.0
// Standard input, output and error, whatever has become of them: closed, full, or a pipe that nobody reads.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace epaudit {

// To standard error. What cannot be written there is dropped: nothing depends on it, least of all the report.
void say_text(std::string_view text);

template <typename... T>
void say(fmt::format_string<T...> format, T&&... arguments)
{
    say_text(fmt::format(format, std::forward<T>(arguments)...));
}

// A descriptor from 0 to 2 that is closed would be given to the next file that is opened, and a line for the terminal
// written into a report. It leads to /dev/null instead, in such a way that using it still fails; a command that we start
// finds it closed as it was.
void secure_standard_descriptors();

}  // namespace epaudit
