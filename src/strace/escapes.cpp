// SPDX-License-Identifier: Apache-2.0
#include "src/strace/escapes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

namespace epaudit {
namespace {

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

// How long the tag is that begins here; 0: it is none of those that pages put around words. strace prints angle brackets
// of its own.
size_t tag_length(std::string_view text)
{
    text = text.substr(0, 1024);  // none is longer
    size_t end = text.starts_with("</") ? 2 : 1;
    const size_t name = end;
    while (end < text.size() && ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z')))
        end++;
    const std::string_view word = text.substr(name, end - name);
    for (std::string_view tag : {"span", "div", "code", "pre", "td", "tr", "font", "li", "p", "b", "i", "em", "entry",
                                 "line", "log", "message", "br"}) {
        if (word != tag || end >= text.size() || !std::strchr(" >/", text[end]))
            continue;
        const size_t close = text.find('>', end);
        return close == std::string_view::npos ? 0 : close + 1;
    }
    return 0;
}

char escaped(char c) { return c == 't' ? '\t' : c == 'n' ? '\n' : c; }

// The quote that ends the line, whatever follows it of a list.
size_t last_quote(std::string_view text, char quote) { return std::min(text.rfind(quote), text.size()); }

}  // namespace

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

bool begins_with_tag(std::string_view text)
{
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    return text.starts_with("<") && tag_length(text) > 0;
}

std::string without_tags(std::string_view text)
{
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        const size_t tag = text[at] == '<' ? tag_length(text.substr(at)) : 0;
        if (!tag)
            plain += text[at];
        else if (text.compare(at, 5, "</td>") == 0 && at + tag < text.size())  // the next cell is another word
            plain += ' ';
        else if (text.compare(at, 3, "<br") == 0)
            plain += '\n';
        at += tag ? tag : 1;
    }
    return plain;
}

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

namespace {

unsigned char byte(std::string_view text, size_t at)
{
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

// U+FF01 to U+FF5E: ASCII as wide as Chinese characters are, three bytes each. 0: it is none of them.
char full_width(std::string_view text, size_t at)
{
    const unsigned char page = byte(text, at + 1), last = byte(text, at + 2);
    if (byte(text, at) != 0xef || (last & 0xc0) != 0x80 || (page != 0xbc && page != 0xbd))
        return 0;
    const unsigned code = (page & 3U) << 6 | (last & 0x3fU);
    return code >= 1 && code <= 0x5e ? static_cast<char>(code + 0x20) : '\0';
}

// How many bytes the character has that begins here; 1: it is ASCII, or no UTF-8.
size_t length_of_character(std::string_view text, size_t at)
{
    const unsigned char lead = byte(text, at);
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    for (size_t i = 1; i < length; i++)
        if ((byte(text, at + i) & 0xc0) != 0x80)
            return 1;
    return length;
}

// Latin-1, or Windows-1252: of those, the space and the quotes that pages put.
char single_byte(char c)
{
    static constexpr std::pair<unsigned char, char> kBytes[] = {{0xa0, ' '}, {0x91, '\''}, {0x92, '\''}, {0x93, '"'},
                                                                {0x94, '"'}, {0x96, '-'},  {0x97, '-'}};
    for (const auto& [from, to] : kBytes)
        if (static_cast<unsigned char>(c) == from)
            return to;
    return c;
}

}  // namespace

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
            const size_t length = length_of_character(text, at);
            if (const char wide = full_width(text, at))
                plain += wide;
            else if (length == 1)
                plain += single_byte(text[at]);
            else
                plain += text.substr(at, length);
            at += length;
            continue;
        }
        plain += sign->second;
        at += sign->first.size();
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

std::string with_newlines(std::string_view text)
{
    const size_t quote = text.find('"');
    if (size_t length = 0; quote != std::string_view::npos && quote > 0 && text[quote - 1] == '\\')
        return unquoted(text, '\0', Quoting::kEscaped, length);
    std::string plain;
    bool inside = false;
    for (size_t at = 0; at < text.size(); at++) {
        if (text[at] == '\\' && inside && at + 1 < text.size())
            plain += text[at++];
        else if (text.compare(at, 2, "\\n") == 0) {
            plain += '\n';
            at++;
            continue;
        } else if (text[at] == '"') {
            inside = !inside;
        }
        plain += text[at];
    }
    return plain;
}

std::string unquoted(std::string_view text, char quote, Quoting quoting, size_t& length)
{
    std::string value;
    size_t at = 0;
    const size_t last = quoting == Quoting::kNone ? last_quote(text, quote) : text.size();
    for (; at < last; at++) {
        if (text[at] == quote && quoting == Quoting::kDoubled && at + 1 < last && text[at + 1] == quote) {
            at++;
        } else if (text[at] == quote && quoting != Quoting::kNone) {
            break;
        } else if (text[at] == '\\' && quoting == Quoting::kEscaped && at + 1 < last) {
            const char c = text[++at];
            if (c == 'u' && at + 4 < last) {
                const auto code = std::strtoul(std::string(text.substr(at + 1, 4)).c_str(), nullptr, 16);
                value += static_cast<char>(code < 0x80 ? code : '?');
                at += 4;
            } else if (c != 'r') {
                value += escaped(c);
            }
            continue;
        }
        value += text[at];
    }
    length = std::min(at + 1, text.size());
    while (!value.empty() && value.back() == '\n')
        value.pop_back();
    return value;
}

}  // namespace epaudit
