// SPDX-License-Identifier: Apache-2.0
#include "src/strace/shape.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "src/books/call_names.h"
#include "src/strace/arguments.h"
#include "src/strace/calls.h"
#include "src/strace/characters.h"
#include "src/strace/line.h"
#include "src/strace/sources.h"

namespace epaudit {
namespace {

constexpr unsigned kMostRepeats = 100000;

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

// What only a page or a table puts behind a line.
std::string_view without_usual_tail(std::string_view text)
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

// strace never prints a tab: whatever carried the log put them in place of spaces.
std::string_view without_tabs(std::string_view text, std::string& buffer)
{
    if (!std::memchr(text.data(), '\t', text.size()))
        return text;
    std::string plain;
    for (char c : text) {
        const bool space = c == '\t' || c == ' ';
        if (!space || plain.empty() || plain.back() != ' ' || c == ' ')
            plain += space ? ' ' : c;
    }
    buffer = std::move(plain);
    return buffer;
}

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

bool first_number(std::string_view text, uint64_t& number, size_t& spaces, size_t& end)
{
    spaces = std::min(text.find_first_not_of(' '), text.size());
    end = spaces;
    number = 0;
    while (end < text.size() && digit(text[end]) && number < 1'000'000'000)
        number = number * 10 + static_cast<uint64_t>(text[end++] - '0');
    return end > spaces && end < text.size() && std::strchr(" \t:|)-.>", text[end]);
}

std::string_view without_spaces_behind(std::string_view text)
{
    return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

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

// "epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &ev);", "epoll_wait().": what a program's source, or somebody, says of a call. strace
// prints values, and names of constants.
bool is_source(std::string_view arguments)
{
    const size_t end = arguments.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.->&*");
    if (end == 0)
        return arguments.size() > 1 && arguments.front() == ')' && arguments.find('=') == std::string_view::npos;
    const char first = arguments.empty() ? '0' : arguments.front();
    return end != std::string_view::npos && (arguments[end] == ',' || arguments[end] == ')') &&
           ((first >= 'a' && first <= 'z') || first == '&' || first == '*' || first == '_');
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
        if (begin == at || (before >= 'A' && before <= 'Z') || before == '.' || before == '"')
            continue;
        if (known(text.substr(begin, at - begin)))
            return begin;
        const size_t number = begin;  // of a line, whose column a page or an editor has lost: "12epoll_wait("
        while (begin < at && digit(text[begin]))
            begin++;
        if (begin > number && begin < at && known(text.substr(begin, at - begin)))
            return begin;
    }
    const size_t marker = find_marker(text, looked, text.size());
    return marker < text.size() ? marker : std::string_view::npos;
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
        const bool boundary = at == from || std::strchr(" \t:`+>", prefix[at - 1]) ||
                              (prefix[at] == '[' && digit(prefix[at - 1]));
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
    if (!prefixes_.empty()) {
        uint64_t number = 0;
        size_t spaces = 0, end = 0;
        if (counted_ && first_number(text, number, spaces, end) && number > 0)
            around.repeat = static_cast<unsigned>(std::min<uint64_t>(number, kMostRepeats));
        text = without_prefix(text, around);
        text = without_usual_tail(text);
        if (around.repeat > 1 && text.ends_with("]"))  // "message repeated 3 times: [ epoll_wait(...) = 1]"
            text.remove_suffix(1);
    }
    if (!tail_.empty())
        if (const std::string_view whole = without_spaces_behind(text); whole.ends_with(tail_))
            text = whole.substr(0, whole.size() - tail_.size());
    return without_tabs(text, buffer);
}

}  // namespace epaudit
