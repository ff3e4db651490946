// SPDX-License-Identifier: Apache-2.0
#include "src/strace/shape.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "src/books/call_names.h"
#include "src/strace/arguments.h"
#include "src/strace/calls.h"
#include "src/strace/line.h"
#include "src/strace/sources.h"

namespace epaudit {
namespace {

constexpr unsigned kMostRepeats = 100000;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_char(char c) { return (c >= 'a' && c <= 'z') || digit(c) || c == '_'; }

bool known(std::string_view name) { return call_by_name(name) != CALL_NONE || system_call_number(name) >= 0; }

// A prefix with all numbers made alike: times, pids and line numbers change from line to line, and the spaces that keep
// them in columns.
std::string kind_of_prefix(std::string_view prefix)
{
    std::string kind;
    for (char c : prefix) {
        if (c == ' ' || c == '\t') {
            if (!kind.empty() && kind.back() != ' ')
                kind += ' ';
        } else if (!digit(c)) {
            kind += c;
        } else {
            if (!kind.empty() && kind.back() == ' ')
                kind.pop_back();
            if (kind.empty() || kind.back() != '0')
                kind += '0';
        }
    }
    return kind;
}

// Whether kind_of_prefix() would say this, without saying it: all lines of a log ask.
bool is_of_kind(std::string_view prefix, std::string_view kind)
{
    size_t at = 0;
    bool space = false;
    auto next_is = [&](char c) { return at < kind.size() && kind[at++] == c; };
    for (char c : prefix) {
        if (c == ' ' || c == '\t') {
            space = at > 0;
            continue;
        }
        if (!digit(c)) {
            if ((space && !next_is(' ')) || !next_is(c))
                return false;
        } else if ((!at || kind[at - 1] != '0') && !next_is('0')) {
            return false;
        }
        space = false;
    }
    return (!space || next_is(' ')) && at == kind.size();
}

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

// The number a line begins with. False: none.
bool first_number(std::string_view text, uint64_t& number, size_t& spaces, size_t& end)
{
    spaces = std::min(text.find_first_not_of(' '), text.size());
    end = spaces;
    number = 0;
    while (end < text.size() && digit(text[end]) && number < 1'000'000'000)
        number = number * 10 + static_cast<uint64_t>(text[end++] - '0');
    return end > spaces && end < text.size() && std::strchr(" \t:|)-.>", text[end]);
}

// What only a page or a table puts behind a line.
std::string_view without_tail(std::string_view text)
{
    for (bool more = true; more;) {
        more = false;
        while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
            text.remove_suffix(1);
        for (std::string_view tail : {"<br>", "<br/>", "</code>", "</p>", "</pre>", "`", " |", "\\"}) {
            if (text.size() < tail.size() || text.substr(text.size() - tail.size()) != tail)
                continue;
            text.remove_suffix(tail.size());
            more = true;
        }
    }
    return text;
}

}  // namespace

namespace {

constexpr std::string_view kMarkers[] = {"<... ", "+++ exited with", "+++ killed by", "--- SIG", "strace: Process "};

// Where one of those that stand for a call begins, from `from` on and before `end`; `end`: nowhere.
size_t find_marker(std::string_view text, size_t from, size_t end)
{
    for (; from < end; from++) {
        const char c = text[from];
        if (c != '<' && c != '+' && c != '-' && c != 's')
            continue;
        for (std::string_view marker : kMarkers)
            if (c == marker.front() && text.compare(from, marker.size(), marker) == 0)
                return from;
    }
    return end;
}

}  // namespace

unsigned repeats(std::string_view text)
{
    constexpr std::string_view kHead = "message repeated ", kTail = " times";
    const size_t at = text.find(kHead);
    if (at == std::string_view::npos)
        return 0;
    text.remove_prefix(at + kHead.size());
    unsigned number = 0;
    size_t end = 0;
    while (end < text.size() && digit(text[end]) && number < kMostRepeats)
        number = number * 10 + static_cast<unsigned>(text[end++] - '0');
    return end && text.substr(end).starts_with(kTail) ? std::min(number, kMostRepeats) : 0;
}

size_t find_call(std::string_view text)
{
    size_t looked = 0;
    for (size_t at = text.find('('); at != std::string_view::npos; at = text.find('(', at + 1)) {
        if (const size_t marker = find_marker(text, looked, at); marker < at)
            return marker;
        looked = at;
        size_t begin = at;
        while (begin > 0 && name_char(text[begin - 1]))
            begin--;
        const char before = begin ? text[begin - 1] : ' ';
        if (begin < at && !(before >= 'A' && before <= 'Z') && before != '.' && before != '"' &&
            known(text.substr(begin, at - begin)))
            return begin;
    }
    const size_t marker = find_marker(text, looked, text.size());
    return marker < text.size() ? marker : std::string_view::npos;
}

// Whether a call's line ends before its result: no ")" with a "=" behind it.
static bool has_no_result(std::string_view text)
{
    if (text.find("<unfinished") != std::string_view::npos)
        return false;
    for (size_t at = text.find(')'); at != std::string_view::npos; at = text.find(')', at + 1))
        if (const size_t next = text.find_first_not_of(' ', at + 1);
            text.substr(at).find("= -1") + 4 != text.size() - at && next != std::string_view::npos && text[next] == '=')
            return false;
    return true;
}

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
    for (const std::string& raw : head) {
        std::string buffer;
        const std::string_view text = encoding_.decode(raw, buffer);
        const std::string_view prefix = text.substr(0, std::min(find_call(text), text.size()));
        if (const NamedPrefix name = find_source(prefix); name.begin < name.end && prefix.size() < text.size()) {
            names.emplace(prefix.substr(name.begin, name.end - name.begin));
            named++;
        }
    }
    nameless_ = named >= kFewest && names.size() * 4 > named * 3;
}

void LogShape::learn(const std::vector<std::string>& head)
{
    learn_width(head);
    learn_quote(head);
    learn_words(head);
    encoding_.learn(head);
    learn_names(head);
    std::map<Prefix, unsigned> prefixes;
    std::vector<uint64_t> numbers;
    bool columns = true, twins = false, indented = true, stamped = false, again = false;
    std::set<std::string, std::less<>> calls;
    std::string_view before;
    for (const std::string& raw : head) {
        std::string buffer;
        std::string_view text = encoding_.decode(raw, buffer);
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
        before = std::string_view(raw).substr(raw.size() - std::min(raw.size(), text.size() - call));
    }
    unsigned steps = 0;
    for (size_t i = 1; i < numbers.size(); i++)
        steps += numbers[i] == numbers[i - 1] + 1;
    numbered_ = numbers.size() >= 3 && steps * 10 >= (numbers.size() - 1) * 9;
    counted_ = !numbered_ && columns && indented && !twins && !numbers.empty() && !are_pids(numbers, stamped, again);
    for (const auto& [prefix, count] : prefixes) {
        if ((prefix.before.empty() && !prefix.named) || (count < 2 && head.size() >= 4))
            continue;
        prefixes_.push_back(prefix);
        named_ |= prefix.named;
    }
}

LogShape::Prefix LogShape::kind(std::string_view prefix) const
{
    const NamedPrefix name = nameless_ ? NamedPrefix{} : find_source(prefix);
    if (name.begin == name.end)
        return {kind_of_prefix(prefix), "", false};
    return {kind_of_prefix(prefix.substr(0, name.begin)), kind_of_prefix(prefix.substr(name.end)), true};
}

// Keeps pid and time stamps of strace's own, if they stand right before the call.
std::string_view LogShape::without_prefix(std::string_view text, Around& around) const
{
    const size_t call = find_call(text);
    if (call == std::string_view::npos || call == 0)
        return text;
    const std::string_view prefix = text.substr(0, call);
    const NamedPrefix name = named_ ? find_source(prefix) : NamedPrefix{};
    const bool named = name.begin < name.end;
    if (std::none_of(prefixes_.begin(), prefixes_.end(), [&](const Prefix& kind) {
            return kind.named == named && is_of_kind(named ? prefix.substr(0, name.begin) : prefix, kind.before) &&
                   (!named || is_of_kind(prefix.substr(name.end), kind.after));
        }))
        return text;
    around.source = prefix.substr(name.begin, name.end - name.begin);
    if (const unsigned more = repeats(prefix))
        around.repeat = more;
    size_t from = 0;
    uint64_t number = 0;
    size_t spaces = 0, end = 0;
    const bool leads = first_number(text, number, spaces, end);
    // "4242\t1700000000.1 ": tabs in place of the spaces between pid and time; `cat -n` indents its numbers.
    const bool pid = leads && !numbered_ && spaces == 0 && end + 1 < call && leader_length(text) == call;
    if (leads && (numbered_ || counted_ || (text[end] == '\t' && !pid)))
        from = end + 1;
    for (size_t at = from; at < call; at++) {
        const bool boundary = at == from || std::strchr(" \t:`+>", prefix[at - 1]);
        if (boundary && leader_length(text.substr(at)) == call - at)
            return text.substr(at);
    }
    // "[pid 1234] ", cut at its beginning
    if (size_t at = prefix.find("pid ");
        at != std::string_view::npos && prefix.size() > 2 && prefix[call - 2] == ']' && call <= 24)
        return text;
    return text.substr(call);
}

std::string_view LogShape::clean(std::string_view text, std::string& buffer, Around& around) const
{
    around = {};
    text = encoding_.decode(text, buffer);
    if (!prefixes_.empty()) {
        uint64_t number = 0;
        size_t spaces = 0, end = 0;
        if (counted_ && first_number(text, number, spaces, end) && number > 0)
            around.repeat = static_cast<unsigned>(std::min<uint64_t>(number, kMostRepeats));
        text = without_prefix(text, around);
        text = without_tail(text);
        if (around.repeat > 1 && text.ends_with("]"))  // "message repeated 3 times: [ epoll_wait(...) = 1]"
            text.remove_suffix(1);
    }
    return text;
}

}  // namespace epaudit
