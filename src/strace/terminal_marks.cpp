// SPDX-License-Identifier: Apache-2.0
#include "src/strace/terminal_marks.h"

#include <algorithm>

namespace epaudit {
namespace {

constexpr char kEscape = '\x1b';

// "[36m", "[0;1m": a colour whose escape something has eaten. 0: none.
size_t bare_colour(std::string_view text)
{
    const size_t end = text.find_first_not_of("0123456789;", 1);
    return text.starts_with("[") && end > 1 && end < std::min<size_t>(text.size(), 16) && text[end] == 'm' ? end + 1
                                                                                                           : 0;
}

// "^[[36m", "\\x1b[36m": a colour, as cat -v and journals of system logs spell it. 0: none.
size_t spelt_colour(std::string_view text)
{
    for (std::string_view escape : {"^[", "\\x1b", "\\x1B", "\\u001b", "\\u001B", "\\033", "\\e", "#033"}) {
        if (!text.starts_with(escape) || text.substr(escape.size(), 1) != "[")
            continue;
        const size_t end = text.find_first_not_of("0123456789;", escape.size() + 1);
        if (end != std::string_view::npos &&
            ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z')))
            return end + 1;
    }
    return bare_colour(text);
}

// Does something begin here that may be spelt, and is no command that an escape begins?
bool may_be_spelt(std::string_view text, size_t at)
{
    constexpr std::string_view kBeginnings = "^\\#[";
    return kBeginnings.find(text[at]) != std::string_view::npos && (at == 0 || text[at - 1] != kEscape);
}

// How long a terminal's command is that begins here with an escape: a colour, the title of a window, a link.
size_t command_length(std::string_view text)
{
    if (text.size() < 2)
        return text.size();
    size_t end = 2;
    if (text[1] == '[') {
        while (end < text.size() && !(text[end] >= '@' && text[end] <= '~'))
            end++;
    } else if (text[1] == ']') {
        while (end < text.size() && text[end] != '\a' && text[end] != kEscape)
            end++;
        end += end < text.size() && text[end] == kEscape;  // ESC and a backslash end it as well
    } else {
        return 2;
    }
    return std::min(end + 1, text.size());
}

}  // namespace

std::string without_colours(std::string_view text)
{
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        if (text[at] == kEscape)
            at += command_length(text.substr(at));
        else
            plain += text[at++];
    }
    return plain;
}

bool spells_controls(std::string_view text)
{
    for (size_t at = 0; at < text.size(); at++)
        if (may_be_spelt(text, at) && (spelt_colour(text.substr(at)) || text.substr(at).starts_with("#011")))
            return true;
    return false;
}

std::string without_controls(std::string_view text)
{
    constexpr std::string_view kTab = "#011";
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        const bool may_be = may_be_spelt(text, at);
        if (const size_t length = may_be ? spelt_colour(text.substr(at)) : 0) {
            at += length;
        } else if (may_be && text.substr(at).starts_with(kTab)) {
            plain += '\t';
            at += kTab.size();
        } else {
            plain += text[at++];
        }
    }
    return plain;
}

std::string without_strokes(std::string_view text)
{
    std::string plain;
    for (const char c : text) {
        if (c != '\b')
            plain += c;
        else if (!plain.empty())
            plain.pop_back();
    }
    return plain;
}

}  // namespace epaudit
