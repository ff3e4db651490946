// SPDX-License-Identifier: Apache-2.0
#include "src/strace/arguments.h"

#include <algorithm>

#include "src/strace/characters.h"
#include "src/support/errno_names.h"

#include "bpf/types.h"

namespace epaudit {
namespace {

constexpr int kUnnamedErrno = 4095;

// `at` is behind the opening quote.
size_t end_of_string(std::string_view text, size_t at)
{
    for (; at < text.size(); at++) {
        if (text[at] == '\\')
            at++;
        else if (text[at] == '"')
            return at + 1;
    }
    return text.size();
}

// `at` is behind the '<' that follows a number. "->" is part of an address pair, quotes hold paths, and there is
// "</dev/tty<char 5:0>>".
size_t end_of_decoration(std::string_view text, size_t at)
{
    unsigned depth = 1;
    for (; at < text.size(); at++) {
        if (text[at] == '"')
            at = end_of_string(text, at + 1) - 1;
        else if (text[at] == '<')
            depth++;
        else if (text[at] == '>' && text[at - 1] != '-' && --depth == 0)
            return at + 1;
    }
    return text.size();
}

bool word_char(char c) { return name_char(c) || (c >= 'A' && c <= 'Z'); }

// "<0.000012>" at the end of the line.
int64_t take_duration(std::string_view& text)
{
    if (text.empty() || text.back() != '>')
        return -1;
    size_t open = text.rfind('<');
    if (open == std::string_view::npos)
        return -1;
    uint64_t seconds = 0, ns = 0, unit = NSEC_PER_SEC / 10;
    bool fraction = false;
    for (size_t at = open + 1; at + 1 < text.size(); at++) {
        char c = text[at];
        if (c == '.' && !fraction) {
            fraction = true;
        } else if (!digit(c)) {
            return -1;
        } else if (fraction) {
            ns += unit * static_cast<uint64_t>(c - '0');
            unit /= 10;
        } else if (seconds < 1'000'000'000) {
            seconds = seconds * 10 + static_cast<uint64_t>(c - '0');
        }
    }
    text = text.substr(0, open);
    return static_cast<int64_t>(seconds * NSEC_PER_SEC + ns);
}

// Behind "= ".
bool parse_result(std::string_view text, PrintedResult& result)
{
    size_t end = text.find(' ');
    std::string_view first = text.substr(0, end);
    std::string_view rest = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!rest.empty())  // "= 1; read(7, ...": somebody put two calls on a line
        first = first.substr(0, first.find_last_not_of(";,.") + 1);
    if (first.empty())
        return false;
    size_t open = first.find('<');
    if (open != std::string_view::npos && open > 0) {
        size_t close = end_of_decoration(text, open + 1);
        if (close <= open + 1)
            return false;
        result.decoration = text.substr(open + 1, close - open - 2);
        rest = text.substr(std::min(close + 1, text.size()));
        first = first.substr(0, open);
    }
    if (first == "?") {  // "= ?", "= ? ERESTARTSYS (To be restarted ...)"
        size_t length = 0;
        while (length < rest.size() && word_char(rest[length]))
            length++;
        int error = errno_by_name(rest.substr(0, length));
        result.known = error != 0;
        result.value = -error;
        return true;
    }
    if (!parse_number(first, result.value))
        return false;
    result.known = result.value != -1 || !rest.empty();  // its error was broken off
    if (!rest.empty() && rest.front() == '(')
        result.note = rest;
    if (result.value != -1 || rest.empty() || rest.front() != 'E')
        return true;
    size_t length = 0;
    while (length < rest.size() && word_char(rest[length]))
        length++;
    int error = errno_by_name(rest.substr(0, length));
    result.value = -(error ? error : kUnnamedErrno);
    return true;
}

}  // namespace

int64_t printed_duration(std::string_view text) { return take_duration(text); }

bool parse_number(std::string_view text, int64_t& value)
{
    if (text == "~0U" || text == "UINT_MAX") {  // the last argument of close_range()
        value = UINT32_MAX;
        return true;
    }
    bool negative = !text.empty() && text.front() == '-';
    if (negative)
        text.remove_prefix(1);
    if (text.empty() || !digit(text.front()))
        return false;
    uint64_t number = 0;
    unsigned base = 10;
    if (text.size() > 2 && text[0] == '0' && text[1] == 'x') {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text[0] == '0') {
        base = 8;
        text.remove_prefix(1);
    }
    for (char c : text) {
        unsigned d = digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 32) - 'a') + 10;
        if (d >= base)
            return false;
        number = number * base + d;
    }
    value = static_cast<int64_t>(negative ? 0 - number : number);
    return true;
}

namespace {

// How many there are at the beginning, and their value.
size_t hex_digits(std::string_view text, uint64_t& number)
{
    size_t length = 0;
    for (; length < text.size() && length < 16; length++) {
        const char c = text[length];
        if (!digit(c) && (c < 'a' || c > 'f'))
            break;
        number = number << 4 | static_cast<uint64_t>(digit(c) ? c - '0' : c - 'a' + 10);
    }
    return length;
}

}  // namespace

bool parse_fd(std::string_view text, PrintedFd& fd)
{
    size_t length = 0;
    uint64_t number = 0;
    if (text.size() > 2 && text[0] == '0' && text[1] == 'x')  // strace -e raw=all
        length = 2 + hex_digits(text.substr(2), number);
    while (length < text.size() && digit(text[length]) && number < (1ULL << 32))
        number = number * 10 + static_cast<uint64_t>(text[length++] - '0');
    fd.decoration = {};
    fd.number = -1;
    if (!length || number > 0x7fffffff)
        return false;
    constexpr std::string_view kDeleted = "(deleted)";
    if (text.size() > kDeleted.size() && text.substr(text.size() - kDeleted.size()) == kDeleted)
        text.remove_suffix(kDeleted.size());
    if (length < text.size()) {
        if (text[length] != '<' || text.back() != '>')
            return false;
        fd.decoration = text.substr(length + 1, text.size() - length - 2);
    }
    fd.number = static_cast<int>(number);
    return true;
}

namespace {

// Characters that skip_value() must look at.
constexpr std::array<bool, 256> kStops = [] {
    std::array<bool, 256> stops{};
    for (unsigned char c : {'"', '(', '[', '{', ')', ']', '}', ',', '<', '/'})
        stops[c] = true;
    return stops;
}();

}  // namespace

size_t skip_value(std::string_view text, size_t at)
{
    unsigned depth = 0;
    size_t begin = at;
    for (; at < text.size(); at++) {
        if (!kStops[static_cast<unsigned char>(text[at])])
            continue;
        switch (text[at]) {
        case '"': at = end_of_string(text, at + 1) - 1; break;
        case '(':
        case '[':
        case '{': depth++; break;
        case ')':
        case ']':
        case '}':
            if (!depth)
                return at;
            depth--;
            break;
        case ',':
            if (!depth)
                return at;
            break;
        case '<':
            if (at + 1 < text.size() && text[at + 1] == '<')
                at++;
            else if (at > begin && (digit(text[at - 1]) || text[at - 1] == 'D'))  // AT_FDCWD</path>
                at = end_of_decoration(text, at + 1) - 1;
            break;
        case '/':
            if (at + 1 < text.size() && text[at + 1] == '*') {
                size_t end = text.find("*/", at + 2);
                at = end == std::string_view::npos ? text.size() - 1 : end + 1;
            }
            break;
        default: break;
        }
    }
    return text.size();
}

std::string_view field(std::string_view text, std::string_view name)
{
    std::string_view found;
    for_elements(text, [&](std::string_view element) {
        if (element.size() <= name.size() || element[name.size()] != '=' || element.substr(0, name.size()) != name)
            return true;
        found = element.substr(name.size() + 1);
        return false;
    });
    return found;
}

std::string_view Arguments::raw()
{
    if (next_ < known_) {
        const Span& span = spans_[next_++];
        at_ = span.after;
        return span.value;
    }
    if (at_ >= text_.size() || text_[at_] == ')')
        return {};
    size_t begin = at_;
    at_ = skip_value(text_, begin);
    std::string_view value = text_.substr(begin, at_ - begin);
    while (!value.empty() && value.back() == ' ')
        value.remove_suffix(1);
    if (at_ < text_.size() && text_[at_] == ',')
        at_++;
    while (at_ < text_.size() && text_[at_] == ' ')
        at_++;
    if (next_ == known_ && known_ < spans_.size())
        spans_[known_++] = {value, at_};
    next_++;
    return value;
}

bool Arguments::number(int64_t& value) { return parse_number(raw(), value); }
bool Arguments::fd(PrintedFd& fd) { return parse_fd(raw(), fd); }

void Arguments::skip(unsigned count)
{
    while (count--)
        raw();
}

bool Arguments::result(PrintedResult& result)
{
    while (at_ < text_.size() && text_[at_] != ')') {
        size_t before = at_;
        raw();
        if (at_ == before)  // an unbalanced bracket
            at_++;
    }
    if (at_ >= text_.size())
        return false;
    std::string_view rest = text_.substr(at_ + 1);
    left_ = rest;
    result.duration = take_duration(rest);
    size_t begin = 0;
    while (begin < rest.size() && (rest[begin] == ' ' || rest[begin] == '\t'))
        begin++;
    if (begin >= rest.size() || rest[begin] != '=')
        return false;
    begin++;
    while (begin < rest.size() && rest[begin] == ' ')
        begin++;
    while (!rest.empty() && rest.back() == ' ')
        rest.remove_suffix(1);
    return begin < rest.size() && parse_result(rest.substr(begin), result);
}

}  // namespace epaudit
