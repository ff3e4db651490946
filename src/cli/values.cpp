// SPDX-License-Identifier: Apache-2.0
#include "src/cli/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "src/books/duration.h"
#include "src/report/words.h"
#include "src/support/nearest.h"

namespace epaudit {
namespace {

// "a, b or c"
std::string listed(const std::vector<std::string>& words)
{
    if (words.size() < 2)
        return words.empty() ? "" : words.front();
    return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

std::string seconds_of(std::string& text, double least, double most)
{
    constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
    std::string number = text;
    double unit = 1, seconds = 0;
    for (const auto& [name, length] : kUnits) {
        if (!text.ends_with(name))
            continue;
        number.resize(text.size() - name.size());
        unit = length;
        break;
    }
    const bool good = CLI::detail::lexical_cast(number, seconds) && seconds > 0 && std::isfinite(seconds * unit);
    seconds *= unit;
    if (!good)
        return fmt::format("invalid duration '{}': seconds are wanted, or a number with ms, s, m or h", text);
    if (seconds < least || seconds > most)
        return fmt::format("'{}' is too {}: {} at {}", text, seconds < least ? "short" : "long",
                           seconds_text(seconds < least ? least : most), seconds < least ? "least" : "most");
    text = fmt::format("{}", seconds);
    return {};
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> words)
{
    const std::string description = fmt::format("{{{}}}", fmt::join(words, ","));
    return {[words = std::move(words)](std::string& text) -> std::string {
                if (std::find(words.begin(), words.end(), text) != words.end())
                    return {};
                return fmt::format("invalid value '{}'\n{}", text,
                                   did_you_mean(text, words, "it is one of: " + listed(words)));
            },
            description};
}

CLI::Validator whole_number(uint64_t least, uint64_t most)
{
    return {[least, most](std::string& text) -> std::string {
                uint64_t number = 0;
                const char* end = text.data() + text.size();
                const auto parsed = std::from_chars(text.data(), end, number);
                if (parsed.ec == std::errc() && parsed.ptr == end && number >= least && number <= most)
                    return {};
                return fmt::format("invalid number '{}': a whole number from {} to {} is wanted", text, grouped(least),
                                   grouped(most));
            },
            ""};
}

CLI::Validator duration(double least, double most)
{
    return {[least, most](std::string& text) { return seconds_of(text, least, most); }, ""};
}

}  // namespace epaudit
