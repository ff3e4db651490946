// SPDX-License-Identifier: Apache-2.0
#include "src/strace/encoding.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "src/strace/line.h"
#include "src/strace/shape.h"

namespace epaudit {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
bool digit(char c) { return c >= '0' && c <= '9'; }

bool is_ascii(std::string_view text)
{
    constexpr uint64_t kHigh = 0x8080808080808080;
    uint64_t seen = 0, word = 0;
    size_t at = 0;
    for (; at + sizeof word <= text.size(); at += sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
        seen |= word;
    }
    for (; at < text.size(); at++)
        seen |= static_cast<unsigned char>(text[at]);
    return !(seen & kHigh);
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

// "&lt;", "&#91;", "&#x5b;". `length`: of the entity. 0: it is none, or none that strace prints.
char entity(std::string_view text, size_t& length)
{
    static constexpr std::pair<std::string_view, char> kEntities[] = {
        {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&amp;", '&'}, {"&nbsp;", ' '}, {"&apos;", '\''}};
    for (const auto& [name, c] : kEntities)
        if (text.substr(0, name.size()) == name) {
            length = name.size();
            return c;
        }
    const size_t end = text.substr(0, 8).find(';');
    if (text.substr(0, 2) != "&#" || end == std::string_view::npos)
        return 0;
    const bool hex = text[2] == 'x' || text[2] == 'X';
    const std::string number(text.substr(hex ? 3 : 2, end - (hex ? 3 : 2)));
    const unsigned long code = std::strtoul(number.c_str(), nullptr, hex ? 16 : 10);
    length = end + 1;
    return code < 0x80 ? static_cast<char>(code) : '?';
}

std::string without_entities(std::string_view text)
{
    std::string plain;
    for (size_t at = 0, length = 0; at < text.size(); at += length) {
        length = 1;
        const char c = text[at] == '&' ? entity(text.substr(at), length) : '\0';
        plain += c ? c : text[at];
    }
    return plain;
}

// "=3D": quoted-printable, as mail has it.
std::string without_codes(std::string_view text)
{
    std::string plain;
    for (size_t at = 0; at < text.size(); at++) {
        auto hex = [&](size_t i) { return i < text.size() && std::strchr("0123456789ABCDEF", text[i]) && text[i]; };
        if (text[at] == '=' && hex(at + 1) && hex(at + 2)) {
            plain += static_cast<char>(std::strtoul(std::string(text.substr(at + 1, 2)).c_str(), nullptr, 16));
            at += 2;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

// What editors and chat clients put in place of what was typed.
std::string without_typography(std::string_view text)
{
    static constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
        {"\u00a0", " "},  {"\u00ad", ""},  {"\u00ab", "\""}, {"\u00bb", "\""},  {"\u2010", "-"},  {"\u2011", "-"},
        {"\u2012", "-"},  {"\u2013", "-"}, {"\u2014", "-"},  {"\u2015", "-"},   {"\u2212", "-"},  {"\u2018", "'"},
        {"\u2019", "'"},  {"\u201a", "'"}, {"\u201b", "'"},  {"\u201c", "\""},  {"\u201d", "\""}, {"\u201e", "\""},
        {"\u201f", "\""}, {"\u2039", "<"}, {"\u203a", ">"},  {"\u2026", "..."}, {"\u2192", "->"}, {"\u21d2", "=>"},
        {"\u200b", ""},   {"\u200c", ""},  {"\u200d", ""},   {"\u200e", ""},    {"\u200f", ""},   {"\u2060", ""},
        {"\ufeff", ""},   {"\u2000", " "}, {"\u2001", " "},  {"\u2002", " "},   {"\u2003", " "},  {"\u2004", " "},
        {"\u2005", " "},  {"\u2006", " "}, {"\u2007", " "},  {"\u2008", " "},   {"\u2009", " "},  {"\u200a", " "},
        {"\u202f", " "},  {"\u205f", " "}, {"\u3000", " "},  {"\u2028", "\n"},  {"\u2029", "\n"}};
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        const auto* sign = static_cast<unsigned char>(text[at]) < 0x80
                               ? std::end(kSigns)
                               : std::find_if(std::begin(kSigns), std::end(kSigns), [&](const auto& one) {
                                     return text.compare(at, one.first.size(), one.first) == 0;
                                 });
        if (sign == std::end(kSigns)) {
            plain += text[at++];
            continue;
        }
        plain += sign->second;
        at += sign->first.size();
    }
    return plain;
}

// Without the escapes of a string that begins here and ends with this quote.
std::string unquoted(std::string_view text, char quote, bool doubled)
{
    std::string value;
    for (size_t at = 0; at < text.size(); at++) {
        if (text[at] == quote) {
            if (!doubled || at + 1 >= text.size() || text[at + 1] != quote)
                break;
            at++;
        } else if (text[at] == '\\' && !doubled && at + 1 < text.size()) {
            const char c = text[++at];
            if (c == 'u' && at + 4 < text.size()) {
                const auto code = std::strtoul(std::string(text.substr(at + 1, 4)).c_str(), nullptr, 16);
                value += static_cast<char>(code < 0x80 ? code : '?');
                at += 4;
            } else if (c != 'r') {
                value += c == 't' ? '\t' : c == 'n' ? '\n' : c;
            }
            continue;
        }
        value += text[at];
    }
    while (!value.empty() && value.back() == '\n')
        value.pop_back();
    return value;
}

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
    const size_t bracket = text.find('(');
    for (size_t at = text.find_first_of("\"'"); at < bracket; at = text.find_first_of("\"'", at + 1)) {
        const std::string_view inside = text.substr(at + 1);
        if (find_call(inside) == leader_length(inside))
            return at + 1;
    }
    return std::string_view::npos;
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

std::string with_newlines(std::string_view text)
{
    std::string plain;
    for (size_t at = 0; at < text.size(); at++)
        if (text.compare(at, 2, "\\n") == 0) {
            plain += '\n';
            at++;
        } else {
            plain += text[at];
        }
    return plain;
}

std::string without_escapes(std::string_view text)
{
    std::string plain;
    for (size_t at = 0; at < text.size(); at++)
        if (text[at] != '\\' || at + 1 == text.size() || !std::strchr("_[]{}*|<>()#~.!+-`", text[at + 1]))
            plain += text[at];
    return plain;
}

}  // namespace

void LogEncoding::learn(const std::vector<std::string>& head)
{
    auto most = [&](auto holds) {
        const auto lines = std::count_if(head.begin(), head.end(), [&](const std::string& line) {
            return !line.empty() && holds(std::string_view(line));
        });
        return lines && static_cast<size_t>(lines) * 2 > head.size();
    };
    std::string buffer;
    for (std::string_view key : kJsonKeys)
        if (json_.empty() && most([&](std::string_view line) {
                const size_t at = json_value(line, key);
                return at != std::string_view::npos &&
                       find_call(unquoted(line.substr(at), '"', false)) != std::string_view::npos;
            }))
            json_ = key;
    if (!json_.empty())
        return;
    size_t strings = 0, bare = 0;
    for (const std::string& line : head) {
        const size_t begin = string_begin(line);
        strings += begin != std::string_view::npos;
        bare += begin == std::string_view::npos && find_call(line) != std::string_view::npos;
        doubled_ |= begin != std::string_view::npos && line[begin - 1] == '"' && !has(line, "\\\"") &&
                    line.find("\"\"", begin) != std::string::npos;
    }
    strings_ = strings > bare;
    ends_shown_ = most([](std::string_view line) { return line.back() == '$'; });
    printable_ = std::any_of(head.begin(), head.end(), [](std::string_view line) { return has(line, "=3D"); });
    newlines_ = std::any_of(head.begin(), head.end(), spells_newlines);
    for (const std::string& raw : head) {
        markdown_ |= has(raw, "\\_wait(") || has(raw, "epoll\\_") || has(raw, "\\[\\{") || has(raw, "\\[{") ||
                     has(raw, "[\\{");
        entities_ |= !has(raw, "\"") && (has(raw, "&quot;") || has(raw, "&lt;") || has(raw, "&gt;") ||
                                         has(raw, "&amp;") || has(raw, "&#"));
    }
}

std::string_view LogEncoding::decode(std::string_view text, std::string& buffer) const
{
    auto into = [&](std::string made) {
        buffer = std::move(made);
        text = buffer;
    };
    if (!json_.empty())
        if (const size_t at = json_value(text, json_); at != std::string_view::npos)
            into(unquoted(text.substr(at), '"', false));
    if (strings_)
        if (const size_t at = string_begin(text); at != std::string_view::npos)
            into(unquoted(text.substr(at), text[at - 1], doubled_));
    if (ends_shown_ && !text.empty() && text.back() == '$') {
        text.remove_suffix(1);
        while (text.size() >= 2 && text.substr(text.size() - 2) == "^M")
            text.remove_suffix(2);
        while (text.substr(0, 2) == "^I")
            text.remove_prefix(2);
    }
    if (printable_ && has(text, "="))
        into(without_codes(text));
    if (newlines_ && has(text, "\\n"))
        into(with_newlines(text));
    if (std::memchr(text.data(), '\x1b', text.size()))
        into(without_colours(text));
    if (entities_ && has(text, "&"))
        into(without_entities(text));
    if (markdown_ && has(text, "\\"))
        into(without_escapes(text));
    if (!is_ascii(text))
        into(without_typography(text));
    return text;
}

}  // namespace epaudit
