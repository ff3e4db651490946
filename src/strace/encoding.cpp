// SPDX-License-Identifier: Apache-2.0
#include "src/strace/encoding.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "src/strace/characters.h"
#include "src/strace/line.h"
#include "src/strace/shape.h"

namespace epaudit {
namespace {

// What a container's runtime, a journal or an issue tracker writes: {"log":"epoll_wait(...) = 1\n","stream":"stderr",...}
constexpr std::string_view kJsonKeys[] = {"log",  "message", "MESSAGE", "msg",    "line",   "text",
                                          "body", "content", "output",  "stderr", "stdout", "textPayload"};

// Where the string begins that is the value of this key.
size_t json_value(std::string_view text, std::string_view key)
{
    for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        size_t end = at + key.size();
        if (at == 0 || text[at - 1] != '"' || end >= text.size() || text[end] != '"')
            continue;
        end = text.find_first_not_of(' ', end + 1);
        if (end == std::string_view::npos || text[end] != ':')
            continue;
        end = text.find_first_not_of(' ', end + 1);
        if (end != std::string_view::npos && text[end] == '"')
            return end + 1;
    }
    return std::string_view::npos;
}

// Where the string begins whose text is a call: behind its quote, before any other call.
size_t string_begin(std::string_view text)
{
    constexpr size_t kLongestLeader = 256;
    const size_t bracket = text.find('(');
    for (size_t at = text.find_first_of("\"'"); at < bracket; at = text.find_first_of("\"'", at + 1)) {
        const std::string_view inside = text.substr(at + 1, kLongestLeader);
        if (find_call(inside) == leader_length(inside))
            return at + 1;
    }
    return std::string_view::npos;
}

// All values of this key, one a line: a list of records may be one line.
std::string json_values(std::string_view text, std::string_view key)
{
    std::string all;
    for (size_t at; (at = json_value(text, key)) != std::string_view::npos;) {
        size_t length = 0;
        text.remove_prefix(at);
        if (!all.empty())
            all += '\n';
        all += unquoted(text, '"', Quoting::kEscaped, length);
        text.remove_prefix(length);
    }
    return all;
}

// All strings that are calls, one a line.
std::string strings_of(std::string_view text, Quoting quoting)
{
    std::string all;
    for (size_t at; (at = string_begin(text)) != std::string_view::npos;) {
        size_t length = 0;
        if (!all.empty())
            all += '\n';
        all += unquoted(text.substr(at), text[at - 1], quoting, length);
        text.remove_prefix(at + length);
    }
    return all;
}

// "epoll_wait(...) = 1\nread(...) = 0": in a string, a result never follows.
bool spells_newlines(std::string_view text)
{
    for (size_t at = text.find("\\n"); at != std::string_view::npos; at = text.find("\\n", at + 1)) {
        size_t begin = at;
        while (begin > 0 && digit(text[begin - 1]))
            begin--;
        if ((begin < at && begin > 1 && text.substr(begin - 2, 2) == "= ") || (at > 0 && text[at - 1] == '>'))
            return true;
    }
    return false;
}

// How the first string that strace printed in this one is quoted; false: there is none, or it does not show.
bool shows_quoting(std::string_view text, char quote, Quoting& quoting)
{
    if (quote != '"') {
        const size_t at = text.find('\\');
        const bool twice = at + 1 < text.size() && text[at + 1] == '\\';
        // Python's b'...' of a whole log
        quoting = twice || spells_newlines(text) ? Quoting::kEscaped : Quoting::kDoubled;
        return at != std::string_view::npos;
    }
    const size_t at = text.find('"');
    if (at == std::string_view::npos || at == 0)
        return false;
    if (text[at - 1] == '\\') {
        quoting = Quoting::kEscaped;
        return true;
    }
    if (!std::strchr(" ([{=,", text[at - 1]))  // the end of the line's own string
        return false;
    const size_t run = std::min(text.find_first_not_of('"', at), text.size()) - at;
    const char next = at + run < text.size() ? text[at + run] : ',';
    const bool empty = next == ',' || next == ')' || next == ']' || next == '}' || next == '.';
    quoting = run % 4 == 0 || (run == 2 && !empty) ? Quoting::kDoubled : Quoting::kNone;
    return true;
}

// "&lt;unfinished ...&gt;" in a line that has no quotes of its own: what a program writes may be a page.
bool spells_signs(std::string_view text)
{
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (!has(line, "\"") &&
            (has(line, "&quot;") || has(line, "&lt;") || has(line, "&gt;") || has(line, "&amp;") || has(line, "&#")))
            return true;
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return false;
}

}  // namespace

// The key whose values hold more calls than stand elsewhere.
void LogEncoding::learn_key(const std::vector<std::string>& head)
{
    size_t calls = 0, best = 0;
    for (const std::string& line : head)
        calls += find_call(line) != std::string_view::npos;
    for (std::string_view key : kJsonKeys) {
        size_t values = 0, bare = calls;
        for (const std::string& line : head) {
            const bool value = find_call(without_colours(json_values(line, key))) != std::string_view::npos;
            values += value;
            bare -= value && find_call(line) != std::string_view::npos;
        }
        if (values <= best || values <= bare)
            continue;
        best = values;
        json_ = key;
    }
}

void LogEncoding::learn_strings(const std::vector<std::string>& head)
{
    size_t strings = 0, bare = 0;
    std::array<size_t, 3> votes{};
    for (const std::string& line : head) {
        const size_t begin = string_begin(line);
        strings += begin != std::string_view::npos;
        bare += begin == std::string_view::npos && find_call(line) != std::string_view::npos;
        Quoting quoting{};
        if (begin != std::string_view::npos &&
            shows_quoting(std::string_view(line).substr(begin), line[begin - 1], quoting))
            votes[static_cast<size_t>(quoting)]++;
    }
    strings_ = strings > bare;
    quoting_ = static_cast<Quoting>(std::max_element(votes.begin(), votes.end()) - votes.begin());
}

void LogEncoding::learn(const std::vector<std::string>& head)
{
    auto most = [&](auto holds) {
        const auto lines = std::count_if(head.begin(), head.end(), [&](const std::string& line) {
            return !line.empty() && holds(std::string_view(line));
        });
        return lines && static_cast<size_t>(lines) * 2 > head.size();
    };
    learn_key(head);
    if (!json_.empty())
        return;
    learn_strings(head);
    ends_shown_ = most([](std::string_view line) { return line.back() == '$'; });
    controls_ = most(spells_controls);
    printable_ = std::any_of(head.begin(), head.end(), [](std::string_view line) { return has(line, "=3D"); });
    newlines_ = !strings_ && std::any_of(head.begin(), head.end(), spells_newlines);
    tags_ = most(begins_with_tag);
    for (const std::string& line : head) {
        const std::string raw = tags_ ? without_tags(line) : line;
        markdown_ |= has(raw, "\\_wait(") || has(raw, "epoll\\_") || has(raw, "\\[\\{") || has(raw, "\\[{") ||
                     has(raw, "[\\{") || has(raw, ", \\{") || has(raw, ", \\[") || has(raw, "\\|EPOLL");
        entities_ |= spells_signs(raw);
    }
}

std::string_view LogEncoding::decode(std::string_view text, std::string& buffer) const
{
    auto into = [&](std::string made) {
        buffer = std::move(made);
        text = buffer;
    };
    auto into_any = [&](std::string made) {
        if (!made.empty())
            into(std::move(made));
    };
    if (!json_.empty())
        into_any(json_values(text, json_));
    if (strings_)
        into_any(strings_of(text, quoting_));
    if (ends_shown_ && !text.empty() && text.back() == '$') {
        text.remove_suffix(1);
        while (text.size() >= 2 && text.substr(text.size() - 2) == "^M")
            text.remove_suffix(2);
        while (text.substr(0, 2) == "^I")
            text.remove_prefix(2);
    }
    if (controls_)
        into(without_controls(text));
    if (printable_ && has(text, "="))
        into(without_codes(text));
    if (newlines_ && has(text, "\\n"))
        into(with_newlines(text));
    if (std::memchr(text.data(), '\b', text.size()))
        into(without_strokes(text));
    if (std::memchr(text.data(), '\x1b', text.size()))
        into(without_colours(text));
    if (tags_ && has(text, "<"))
        into(without_tags(text));
    if (entities_ && has(text, "&"))
        into(without_entities(text));
    if (markdown_ && has(text, "\\"))
        into(without_escapes(text));
    if (!is_ascii(text))
        into(without_typography(text));
    return text;
}

}  // namespace epaudit
