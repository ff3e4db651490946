// SPDX-License-Identifier: Apache-2.0
#include "src/strace/shape.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "src/books/call_names.h"
#include "src/strace/arguments.h"
#include "src/strace/calls.h"
#include "src/strace/line.h"

namespace epaudit {
namespace {

constexpr unsigned kMostRepeats = 100000;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_char(char c) { return (c >= 'a' && c <= 'z') || digit(c) || c == '_'; }
bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool known(std::string_view name) { return call_by_name(name) != CALL_NONE || system_call_number(name) >= 0; }

// A prefix with all numbers made alike: times, pids and line numbers change from line to line.
std::string kind_of_prefix(std::string_view prefix)
{
    std::string kind;
    for (char c : prefix) {
        if (c == ' ' || c == '\t') {
            if (kind.empty() || kind.back() != ' ')
                kind += ' ';
        } else if (!digit(c)) {
            kind += c;
        } else if (kind.empty() || kind.back() != '0') {
            kind += '0';
        }
    }
    return kind;
}

// Whether kind_of_prefix() would say this, without saying it: most lines of a log ask.
bool is_of_kind(std::string_view prefix, std::string_view kind)
{
    size_t at = 0;
    for (char c : prefix) {
        const char made = c == '\t' ? ' ' : digit(c) ? '0' : c;
        const bool same_run = (made == ' ' || made == '0') && at && kind[at - 1] == made;
        if (same_run)
            continue;
        if (at == kind.size() || kind[at] != made)
            return false;
        at++;
    }
    return at == kind.size();
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

std::string without_entities(std::string_view text)
{
    static constexpr std::pair<std::string_view, char> kEntities[] = {
        {"&lt;", '<'},  {"&gt;", '>'},   {"&quot;", '"'}, {"&#34;", '"'}, {"&#39;", '\''}, {"&#x27;", '\''},
        {"&amp;", '&'}, {"&nbsp;", ' '}, {"&#124;", '|'}, {"&#60;", '<'}, {"&#62;", '>'},  {"&apos;", '\''}};
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        bool found = false;
        for (const auto& [entity, c] : kEntities) {
            if (text[at] != '&' || text.substr(at, entity.size()) != entity)
                continue;
            plain += c;
            at += entity.size();
            found = true;
            break;
        }
        if (!found)
            plain += text[at++];
    }
    return plain;
}

// What a container's runtime or a journal writes: {"log":"epoll_wait(...) = 1\n","stream":"stderr",...}
constexpr std::string_view kJsonKeys[] = {"\"log\":\"", "\"message\":\"", "\"MESSAGE\":\"", "\"msg\":\"",
                                          "\"line\":\""};

// The value behind this key, without its escapes.
std::string json_value(std::string_view text, std::string_view key)
{
    std::string value;
    for (size_t at = text.find(key) + key.size(); at < text.size() && text[at] != '"'; at++) {
        if (text[at] != '\\' || at + 1 >= text.size()) {
            value += text[at];
            continue;
        }
        const char c = text[++at];
        if (c == 'u' && at + 4 < text.size()) {
            value += static_cast<char>(std::strtoul(std::string(text.substr(at + 1, 4)).c_str(), nullptr, 16));
            at += 4;
        } else if (c == 't') {
            value += '\t';
        } else if (c != 'n' && c != 'r') {
            value += c;
        }
    }
    return value;
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

void LogShape::learn(const std::vector<std::string>& head)
{
    learn_width(head);
    for (std::string_view key : kJsonKeys) {
        auto holds = [&](const std::string& line) { return line.front() == '{' && has(line, key); };
        const auto lines = std::count_if(head.begin(), head.end(),
                                         [&](const std::string& line) { return !line.empty() && holds(line); });
        if (lines && static_cast<size_t>(lines) * 2 > head.size())
            json_ = key;
    }
    std::map<std::string, unsigned> prefixes;
    std::vector<uint64_t> numbers;
    bool columns = true, twins = false, indented = true;
    std::string_view before;
    for (const std::string& raw : head) {
        markdown_ |= has(raw, "\\_wait(") || has(raw, "epoll\\_");
        entities_ |= !has(raw, "\"") &&
                     (has(raw, "&quot;") || has(raw, "&lt;") || has(raw, "&gt;") || has(raw, "&amp;"));
    }
    for (const std::string& raw : head) {
        std::string buffer;
        std::string_view text = unescape(raw, buffer);
        const size_t call = find_call(text);
        if (call == std::string_view::npos)
            continue;
        prefixes[kind_of_prefix(text.substr(0, call))]++;
        uint64_t number = 0;
        size_t spaces = 0, end = 0;
        if (first_number(text, number, spaces, end) && end <= call)
            numbers.push_back(number);
        else
            columns = indented = false;
        columns &= end == 7 && text[std::min(end, text.size() - 1)] == ' ';
        indented &= spaces > 0;
        twins |= text.substr(call) == before;
        before = std::string_view(raw).substr(raw.size() - std::min(raw.size(), text.size() - call));
    }
    unsigned steps = 0;
    for (size_t i = 1; i < numbers.size(); i++)
        steps += numbers[i] == numbers[i - 1] + 1;
    numbered_ = numbers.size() >= 3 && steps * 10 >= (numbers.size() - 1) * 9;
    counted_ = !numbered_ && columns && indented && !twins && !numbers.empty();
    for (const auto& [prefix, count] : prefixes)
        if (!prefix.empty() && (count >= 2 || head.size() < 4))
            prefixes_.push_back(prefix);
}

std::string_view LogShape::unescape(std::string_view text, std::string& buffer) const
{
    auto into = [&](std::string made) {
        buffer = std::move(made);
        text = buffer;
    };
    if (text.substr(0, 3) == "\xef\xbb\xbf")
        text.remove_prefix(3);
    if (!json_.empty() && has(text, json_))
        into(json_value(text, json_));
    if (std::memchr(text.data(), '\x1b', text.size()))
        into(without_colours(text));
    if (entities_ && has(text, "&"))
        into(without_entities(text));
    if (markdown_ && has(text, "\\")) {
        std::string plain;
        for (size_t at = 0; at < text.size(); at++)
            if (text[at] != '\\' || at + 1 == text.size() || !std::strchr("_[]{}*|<>()#~.!+-`", text[at + 1]))
                plain += text[at];
        into(std::move(plain));
    }
    if (text.find("\xc2\xa0") != std::string_view::npos) {  // spaces that do not break
        std::string plain(text);
        for (size_t at; (at = plain.find("\xc2\xa0")) != std::string::npos;)
            plain.replace(at, 2, " ");
        into(std::move(plain));
    }
    return text;
}

// Keeps pid and time stamps of strace's own, if they stand right before the call.
std::string_view LogShape::without_prefix(std::string_view text) const
{
    const size_t call = find_call(text);
    if (call == std::string_view::npos || call == 0)
        return text;
    const std::string_view prefix = text.substr(0, call);
    if (std::none_of(prefixes_.begin(), prefixes_.end(),
                     [&](const std::string& kind) { return is_of_kind(prefix, kind); }))
        return text;
    size_t from = 0;
    uint64_t number = 0;
    size_t spaces = 0, end = 0;
    const bool leads = first_number(text, number, spaces, end);
    if (leads && (numbered_ || counted_ || text[end] == '\t'))
        from = end + 1;
    for (size_t at = from; at < call; at++) {
        const bool boundary = at == from || prefix[at - 1] == ' ' || prefix[at - 1] == '\t';
        if (boundary && leader_length(text.substr(at)) == call - at)
            return text.substr(at);
    }
    // "[pid 1234] ", cut at its beginning
    if (size_t at = prefix.find("pid ");
        at != std::string_view::npos && prefix.size() > 2 && prefix[call - 2] == ']' && call <= 24)
        return text;
    return text.substr(call);
}

std::string_view LogShape::clean(std::string_view text, std::string& buffer, unsigned& repeat) const
{
    repeat = 1;
    text = unescape(text, buffer);
    if (!prefixes_.empty()) {
        uint64_t number = 0;
        size_t spaces = 0, end = 0;
        if (counted_ && first_number(text, number, spaces, end) && number > 0)
            repeat = static_cast<unsigned>(std::min<uint64_t>(number, kMostRepeats));
        text = without_prefix(text);
        text = without_tail(text);
    }
    return text;
}

std::string LogShape::other_tool(const std::vector<std::string>& head, std::string& hint)
{
    constexpr const char* kHow =
        "strace -f -ttt -T -o log -p PID writes a log that can be read here: epaudit strace log";
    std::map<std::string, unsigned> votes;
    unsigned events = 0;
    for (const std::string& raw : head) {
        std::string_view line = raw;
        events += has(line, "{EPOLL") || has(line, "{{EPOLL") || has(line, "{events=") || has(line, "{u32=");
        if (has(line, "% time") && has(line, "calls"))
            votes["a summary of strace -c"] += 100;
        if (has(line, " ms): ") || has(line, "epfd: ") || has(line, "(epfd:"))
            votes["perf trace or ftrace"]++;
        if (has(line, "syscalls:sys_enter_") || has(line, "sys_enter_epoll") || has(line, "sys_epoll_wait("))
            votes["perf script, trace-cmd or bpftrace"]++;
        if (has(line, "> epoll_") || has(line, "< epoll_") || has(line, ") > ") || has(line, ") < res="))
            votes["sysdig"]++;
        if (has(line, "Attaching ") || (line.substr(0, 2) == "@[" && has(line, "]: ")) || line.substr(0, 1) == "@")
            votes["bpftrace"] += has(line, "probe") || line.substr(0, 1) == "@" ? 2 : 0;
        if (has(line, "SYS_epoll") || has(line, "@SYS(") || has(line, "->epoll_") || has(line, "<no return ...>"))
            votes["ltrace"]++;
        if (size_t at = line.find("epoll_wait("); at != std::string_view::npos) {
            size_t comma = line.find(", ", at);
            if (comma != std::string_view::npos && line.substr(comma + 2, 2) == "0x" && !has(line, "= 0 ") &&
                (has(line, "0xffffffff") || (has(line, " = 0x") && !has(line, "u32"))))
                votes["ltrace"]++;
        }
        if (size_t at = line.rfind(" = 0x"); at != std::string_view::npos && has(line, "resumed> )"))
            votes["ltrace"]++;
        for (std::string_view library : {"malloc(", "strlen(", "memcpy(", "pthread_", "strcmp("})
            if (has(line, library) && find_call(line) == std::string_view::npos)
                votes["ltrace"]++;
        if (has(line, "#0 ") && has(line, "epoll_wait (epfd"))
            votes["a backtrace of gdb"] += 2;
    }
    hint = kHow;
    if (events)
        return {};
    std::string best;
    unsigned most = 1;
    for (const auto& [tool, count] : votes)
        if (count > most) {
            best = tool;
            most = count;
        }
    if (best == "a summary of strace -c")
        hint = std::string("leave -c away: ") + kHow;
    return best;
}

}  // namespace epaudit
