// SPDX-License-Identifier: Apache-2.0
// What a sample of a log says of how it was pasted.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "src/strace/line.h"
#include "src/strace/shape.h"
#include "src/strace/sources.h"

namespace epaudit {
namespace {

// Numbers in a column: counts of uniq -c, or pids of a log that was indented? Pids are few, and none is small; counts do not
// come again and again, and what has a time stamp of its own is seldom repeated.
bool are_pids(const std::vector<uint64_t>& numbers, bool stamped, bool again)
{
    constexpr uint64_t kSmallest = 10;
    constexpr size_t kFewLines = 8, kEach = 4;
    if (numbers.empty() || *std::min_element(numbers.begin(), numbers.end()) < kSmallest)
        return false;
    const size_t different = std::set<uint64_t>(numbers.begin(), numbers.end()).size();
    return stamped || (different * kEach <= numbers.size() && (again || numbers.size() >= kFewLines));
}

// Whether a call's line ends before its result: no ")" with a "=" behind it.
bool has_no_result(std::string_view text)
{
    if (text.find("<unfinished") != std::string_view::npos)
        return false;
    for (size_t at = text.find(')'); at != std::string_view::npos; at = text.find(')', at + 1))
        if (const size_t next = text.find_first_not_of(' ', at + 1);
            text.substr(at).find("= -1") + 4 != text.size() - at && next != std::string_view::npos && text[next] == '=')
            return false;
    return true;
}

// What stands behind the last thing that strace prints at the end of a line: "1,", "= 0^M", "<0.000012>;".
std::string_view tail_of(std::string_view text)
{
    constexpr size_t kLongest = 8;
    text = without_spaces_behind(text);
    const size_t end = text.find_last_of("0123456789)>?");
    if (end == std::string_view::npos || text.size() - end - 1 > kLongest)
        return {};
    const std::string_view tail = text.substr(end + 1);
    // A mail broke the line behind an argument, or behind the name of an error: "read(7, \"\",", "= -1 EBADF".
    const bool broken = (tail.size() > 1 && tail.front() == ',') || (tail.starts_with(" E") && tail.size() > 2);
    return broken ? std::string_view() : tail;
}

}  // namespace

// A width that several lines have, and none exceeds.
void LogShape::learn_width(const std::vector<std::string>& head)
{
    constexpr size_t kNarrowest = 40, kFewest = 3;
    size_t widest = 0, count = 0;
    for (const std::string& line : head) {
        count = line.size() > widest ? 0 : count;
        widest = std::max(widest, line.size());
        count += line.size() == widest;
    }
    width_ = widest >= kNarrowest && count >= kFewest ? widest : 0;
}

// What all lines begin with, of the signs by which mails, scripts and tables mark lines as somebody else's.
void LogShape::learn_quote(const std::vector<std::string>& head)
{
    constexpr size_t kFewest = 4;
    quote_.clear();
    size_t lines = 0;
    for (const std::string& line : head) {
        if (line.empty())
            continue;
        const size_t signs = std::min(line.find_first_not_of(">#|*/; \t"), line.size());
        if (lines++ == 0)
            quote_ = line.substr(0, signs);
        else
            while (!line.starts_with(quote_))
                quote_.pop_back();
    }
    if (lines < kFewest || quote_.find_first_not_of(" \t") == std::string::npos)
        quote_.clear();
}

// Many calls without a result, each followed by a line that holds no call, and most of them narrower than the widest.
void LogShape::learn_words(const std::vector<std::string>& head)
{
    constexpr size_t kWidest = 132, kFewest = 3;
    size_t widest = 0, calls = 0, breaks = 0, uneven = 0, spaced = 0;
    for (const std::string& line : head)
        widest = std::max(widest, line.size());
    for (size_t i = 0; i < head.size(); i++) {
        if (find_call(head[i]) == std::string_view::npos)
            continue;
        calls++;
        const std::string_view next = unquoted(i + 1 < head.size() ? std::string_view(head[i + 1])
                                                                   : std::string_view());
        if (!has_no_result(head[i]) || next.empty() || next[0] == ')' || find_call(next) != std::string_view::npos)
            continue;
        breaks++;
        uneven += head[i].size() != widest;
        spaced += head[i].back() == ',' && next[0] != ' ';
    }
    at_words_ = widest <= kWidest && breaks >= kFewest && breaks * 4 >= calls &&
                (uneven * 3 > breaks || spaced == breaks);
}

// "L12: ", or the pid of a logger that is started for each line: a name that no other line has is none.
void LogShape::learn_names(const std::vector<std::string>& head)
{
    constexpr size_t kFewest = 4;
    size_t named = 0;
    std::set<std::string, std::less<>> names;
    for (const std::string_view text : head) {
        const std::string_view prefix = text.substr(0, std::min(find_call(text), text.size()));
        if (const NamedPrefix name = find_source(prefix); name.begin < name.end && prefix.size() < text.size()) {
            names.emplace(prefix.substr(name.begin, name.end - name.begin));
            named++;
        }
    }
    nameless_ = named >= kFewest && names.size() * 4 > named * 3;
}

// The same few signs behind most calls: commas of a list, what an editor shows of the ends of lines.
void LogShape::learn_tail(const std::vector<std::string>& lines)
{
    constexpr size_t kFewest = 4;
    std::map<std::string, size_t, std::less<>> tails;
    size_t calls = 0;
    for (const std::string_view text : lines) {
        if (find_call(text) == std::string_view::npos || has_no_result(text))
            continue;
        calls++;
        tails[std::string(tail_of(text))]++;
    }
    for (const auto& [tail, count] : tails)
        if (!tail.empty() && count >= kFewest && count * 2 > calls)
            tail_ = tail;
}

// Lines of the log, of which a document may have several in one string.
std::vector<std::string> LogShape::decoded(const std::vector<std::string>& head) const
{
    constexpr size_t kMost = 512;
    std::vector<std::string> lines;
    for (const std::string& raw : head) {
        std::string buffer;
        std::string_view text = encoding_.decode(raw, buffer);
        for (size_t end; lines.size() < kMost && (end = text.find('\n')) != std::string_view::npos;) {
            lines.emplace_back(text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        if (lines.size() < kMost)
            lines.emplace_back(text);
    }
    return lines;
}

void LogShape::learn(const std::vector<std::string>& head)
{
    learn_width(head);
    learn_quote(head);
    learn_words(head);
    encoding_.learn(head);
    const std::vector<std::string> lines = decoded(head);
    learn_names(lines);
    learn_tail(lines);
    learn_prefixes(lines);
}

void LogShape::learn_prefixes(const std::vector<std::string>& lines)
{
    std::map<Prefix, unsigned> prefixes;
    std::vector<uint64_t> numbers;
    bool columns = true, twins = false, indented = true, stamped = false, again = false;
    std::set<std::string, std::less<>> calls;
    std::string_view before;
    for (const std::string_view text : lines) {
        const size_t call = find_call(text);
        if (call == std::string_view::npos)
            continue;
        prefixes[kind(text.substr(0, call))]++;
        uint64_t number = 0;
        size_t spaces = 0, end = 0;
        if (first_number(text, number, spaces, end) && end <= call)
            numbers.push_back(number);
        else
            columns = indented = false;
        columns &= end == 7 && text[std::min(end, text.size() - 1)] == ' ';
        indented &= spaces > 0;
        stamped |= end < call && leader_length(text.substr(end + 1)) > 0;
        again |= !calls.emplace(text.substr(call)).second;
        twins |= text.substr(call) == before;
        before = text.substr(call);
    }
    unsigned steps = 0;
    for (size_t i = 1; i < numbers.size(); i++)
        steps += numbers[i] == numbers[i - 1] + 1;
    numbered_ = numbers.size() >= 3 && steps * 10 >= (numbers.size() - 1) * 9;
    counted_ = !numbered_ && columns && indented && !twins && !numbers.empty() && !are_pids(numbers, stamped, again);
    for (const auto& [prefix, count] : prefixes) {
        if ((prefix.before.empty() && !prefix.named) || (count < 2 && lines.size() >= 4))
            continue;
        prefixes_.push_back(prefix);
        named_ |= prefix.named;
    }
}

}  // namespace epaudit
