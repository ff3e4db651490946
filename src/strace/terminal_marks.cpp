// SPDX-License-Identifier: Apache-2.0
#include "src/strace/terminal_marks.h"

namespace epaudit {
namespace {

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
    return 0;
}

}  // namespace

std::string without_colours(std::string_view text)
{
    std::string plain;
    for (size_t at = 0; at < text.size(); at++) {
        if (text[at] != '\x1b') {
            plain += text[at];
            continue;
        }
        if (at + 1 < text.size() && text[at + 1] == '[')
            for (at += 2; at < text.size() && !(text[at] >= '@' && text[at] <= '~');)
                at++;
        else
            at++;
    }
    return plain;
}

bool spells_controls(std::string_view text)
{
    for (size_t at = 0; (at = text.find_first_of("^\\#", at)) != std::string_view::npos; at++)
        if (spelt_colour(text.substr(at)) || text.substr(at).starts_with("#011"))
            return true;
    return false;
}

std::string without_controls(std::string_view text)
{
    constexpr std::string_view kTab = "#011";
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        const bool may_be = text[at] == '^' || text[at] == '\\' || text[at] == '#';
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
