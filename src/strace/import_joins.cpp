// SPDX-License-Identifier: Apache-2.0
// Lines are told apart, and those that whatever carried the log has broken are one line again: a mail's "=" at the end, a
// width, the spaces between words, and what the program wrote into the middle of a call.
#include <algorithm>
#include <cstring>
#include <utility>

#include "src/strace/import.h"

namespace epaudit {
namespace {

// Whether this may be more of a call's arguments or its result, and not what the program wrote: between the words of
// strace there are numbers, names of constants and signs. `inside`: a string is open, which holds anything.
bool is_more_of_call(std::string_view text, bool inside)
{
    const std::string_view word = text.substr(0, text.find(' '));
    if (inside)
        return true;
    return !word.empty() &&
           (word == "/*" || word == "*/" || word.find_first_of("=\"{}[]()|<>,_") != std::string_view::npos ||
            std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

bool string_is_open(std::string_view text)
{
    bool open = false;
    for (size_t at = 0; at < text.size(); at++) {
        if (open && text[at] == '\\')
            at++;
        else if (text[at] == '"')
            open = !open;
    }
    return open;
}

}  // namespace

void StraceImport::line(std::string_view text)
{
    lines_++;
    // Zeros of a file that was cut while it was written to, or of a list that has them for ends.
    if (std::memchr(text.data(), '\0', text.size())) {
        for (size_t end; (end = text.find('\0')) != std::string_view::npos;) {
            if (end > 0)
                part_of_line(text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        if (text.empty())
            return;
    }
    part_of_line(text);
}

// Ends of lines that only a terminal takes for such.
void StraceImport::part_of_line(std::string_view text)
{
    for (size_t end; (end = text.find('\r')) != std::string_view::npos && end + 1 < text.size();) {
        whole_line(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    whole_line(text);
}

// The call that is not over yet, because more of it has come.
std::string StraceImport::take_open()
{
    endless_ = false;
    return std::exchange(open_, {});
}

// A mail breaks long lines with a '=', and spells those of the text "=3D". False: more of the line is to come.
bool StraceImport::joins(std::string_view& text)
{
    if (joined_.empty() && (text.empty() || (text.back() != '=' && text.back() != '\r')))
        return true;
    std::string_view part = text;
    while (!part.empty() && part.back() == '\r')
        part.remove_suffix(1);
    const bool goes_on = !part.empty() && part.back() == '=' && joined_.size() + part.size() < kLongestOpen &&
                         (!joined_.empty() || part.find("=3D") != std::string_view::npos);
    if (goes_on) {
        joined_ += part.substr(0, part.size() - 1);
        return false;
    }
    if (!joined_.empty()) {
        line_ = std::exchange(joined_, {});
        line_ += text;
        text = line_;
    }
    return true;
}

// "write(1, \"hello\n\", 6hello", then ")                  = 6": the program wrote to where strace wrote.
bool StraceImport::continues(std::string_view text)
{
    if (text.starts_with("= ") && without_spaces_behind(open_).ends_with(")")) {  // it was broken before its result
        std::string whole = take_open();
        one((whole += ' ') += text);
        return true;
    }
    const size_t close = text.find(')');
    size_t equal = close == std::string_view::npos ? close : text.find_first_not_of(' ', close + 1);
    if (close != 0 || equal == std::string_view::npos || text[equal] != '=')
        return false;
    std::string whole = take_open();
    size_t number = whole.rfind(", ");
    if (number != std::string::npos) {
        size_t end = number + 2;
        while (end < whole.size() && whole[end] >= '0' && whole[end] <= '9')
            end++;
        if (end > number + 2)
            whole.resize(end);
    }
    whole += text.substr(close);
    one(whole);
    return true;
}

// Lines of the log were broken at some width, and this is more of the one before.
bool StraceImport::goes_on(std::string_view text, bool full)
{
    if (find_call(text) != std::string_view::npos || open_.size() + text.size() > kLongestOpen)
        return false;
    std::string whole = take_open();
    if (text.substr(0, 2) == "  ")  // the rest of a line was indented
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    whole += text;
    one(whole);
    open_full_ = full;
    return true;
}

// Lines were broken between words. True: `text` was more of a call that is not over yet, or the beginning of one that
// goes on in the next line.
bool StraceImport::joins_words(std::string_view text)
{
    text = shape_.unquoted(text);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const size_t call = find_call(text);
    // Pid and time stamp, and nothing else.
    const std::string leader = std::string(text) + ' ';
    const bool whole_leader = text.find_first_of(".:") != std::string_view::npos &&
                              leader_length(leader) == leader.size();
    if (call == 0 && !leader_.empty()) {
        const std::string whole = std::exchange(leader_, {}) + ' ' + std::string(text);
        one(whole);
        return true;
    }
    leader_.clear();
    if (call != std::string_view::npos)
        return false;
    const bool error = open_.ends_with("= -1") && text.starts_with("E");
    if (!whole_leader && !open_.empty() && open_.size() + text.size() <= kLongestOpen &&
        (error || is_more_of_call(text, string_is_open(open_)))) {
        std::string whole = take_open();
        whole += ' ';
        whole += text;
        one(whole);
        return true;
    }
    if (!whole_leader)
        return false;
    leader_ = text;
    return true;
}

}  // namespace epaudit
