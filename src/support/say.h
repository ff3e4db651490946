// SPDX-License-Identifier: Apache-2.0
// Standard input, output and error, whatever has become of them: closed, full, or a pipe that nobody reads.
#pragma once

#include <fmt/format.h>

#include <streambuf>
#include <string>
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

// A pipe that nobody reads, or a file that has reached its limit, is a write error, which is reported, and no reason to die
// in the middle of an observation.
void ignore_signals_of_writing();
// In a child, before it becomes another program: as it was when we were started.
void restore_signals_of_writing();

// std::cout while it lives: all is written, also to a descriptor that is non-blocking, and what cannot be is an error of
// the stream.
class StandardOutput : public std::streambuf {
public:
    StandardOutput();
    ~StandardOutput() override;

protected:
    int overflow(int c) override;
    int sync() override;

private:
    std::streambuf* before_;
    char buffer_[4096];
};

}  // namespace epaudit
