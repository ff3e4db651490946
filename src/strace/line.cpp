// SPDX-License-Identifier: Apache-2.0
#include "src/strace/line.h"

#include <algorithm>

#include "bpf/types.h"
#include "src/strace/characters.h"

namespace epaudit {
namespace {

using Kind = LogLine::Kind;

constexpr std::string_view kUnfinishedTail = "<unfinished ...>";
constexpr std::string_view kDetachedTail = "<detached ...>";
// A day has fewer seconds, a tracing session with -r hardly more: what is larger counts from 1970.
constexpr uint64_t kEpochFrom = 100'000'000;

bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f'); }

void skip_spaces(std::string_view& text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
}

// Takes decimal digits; 0 digits leave the text alone. Saturates instead of wrapping.
unsigned take_digits(std::string_view& text, uint64_t& value)
{
    unsigned count = 0;
    value = 0;
    while (count < text.size() && digit(text[count])) {
        value = value > 100'000'000'000'000'000 ? value : value * 10 + static_cast<uint64_t>(text[count] - '0');
        count++;
    }
    text.remove_prefix(count);
    return count;
}

// What follows the point, as ns.
bool take_fraction(std::string_view& text, uint64_t& ns)
{
    ns = 0;
    uint64_t unit = NSEC_PER_SEC / 10;
    unsigned count = 0;
    for (; count < text.size() && digit(text[count]); count++, unit /= 10)
        ns += unit * static_cast<uint64_t>(text[count] - '0');
    text.remove_prefix(count);
    return count > 0;
}

// "<comm>" behind a pid (-Y).
std::string_view take_comm(std::string_view& text)
{
    if (text.empty() || text.front() != '<')
        return {};
    size_t end = text.find('>');
    if (end == std::string_view::npos)
        return {};
    std::string_view comm = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return comm;
}

uint32_t as_pid(uint64_t number) { return number > 0 && number < (1U << 30) ? static_cast<uint32_t>(number) : 0; }

// "[pid 123] ", "[pid   123<comm>] "
bool take_bracketed_pid(std::string_view& text, LogLine& line)
{
    std::string_view rest = text;
    if (!rest.empty() && rest.front() == '[')  // or cut away by a paste
        rest.remove_prefix(1);
    constexpr std::string_view kHead = "pid ";
    if (rest.substr(0, kHead.size()) != kHead)
        return false;
    rest.remove_prefix(kHead.size());
    skip_spaces(rest);
    uint64_t number = 0;
    if (!take_digits(rest, number))
        return false;
    line.comm = take_comm(rest);
    if (rest.empty() || rest.front() != ']')
        return false;
    rest.remove_prefix(1);
    skip_spaces(rest);
    line.pid = as_pid(number);
    text = rest;
    return true;
}

// -i and -n print "[00007f12...] " and "[ 232] ".
void drop_address_and_number(std::string_view& text)
{
    while (!text.empty() && text.front() == '[') {
        std::string_view rest = text.substr(1);
        skip_spaces(rest);
        size_t length = 0;
        while (length < rest.size() && (hex_digit(rest[length]) || rest[length] == '?'))
            length++;
        if (!length || length >= rest.size() || rest[length] != ']')
            return;
        rest.remove_prefix(length + 1);
        skip_spaces(rest);
        text = rest;
    }
}

// "12:34:56", "12:34:56.789012"
bool take_time_of_day(std::string_view& text, LogLine& line)
{
    if (text.size() < 8 || text[2] != ':' || text[5] != ':')
        return false;
    auto two = [&](size_t at) { return (text[at] - '0') * uint64_t{10} + static_cast<uint64_t>(text[at + 1] - '0'); };
    for (size_t at : {0, 1, 3, 4, 6, 7})
        if (!digit(text[at]))
            return false;
    line.time = (two(0) * 3600 + two(3) * 60 + two(6)) * NSEC_PER_SEC;
    line.form = TimeForm::kSeconds;
    text.remove_prefix(8);
    uint64_t ns = 0;
    if (!text.empty() && (text.front() == '.' || text.front() == ',')) {
        text.remove_prefix(1);
        if (take_fraction(text, ns))
            line.form = TimeForm::kDay;
        line.time += ns;
    }
    return true;
}

// "1795242679.634150" or "0.000123" behind its digits; `seconds` has been read.
void take_decimal_time(std::string_view& text, uint64_t seconds, LogLine& line)
{
    uint64_t ns = 0;
    text.remove_prefix(1);
    take_fraction(text, ns);
    line.form = seconds >= kEpochFrom ? TimeForm::kEpoch : TimeForm::kRelative;
    line.time = std::min<uint64_t>(seconds, 1ULL << 33) * NSEC_PER_SEC + ns;
}

// -r after another time stamp: "(+     0.000012) ".
void drop_relative(std::string_view& text)
{
    if (text.substr(0, 2) != "(+")
        return;
    size_t end = text.find(')');
    if (end == std::string_view::npos)
        return;
    text.remove_prefix(end + 1);
    skip_spaces(text);
}

// Pid and time stamp, in any combination that strace prints.
void take_leader(std::string_view& text, LogLine& line)
{
    skip_spaces(text);
    while (!text.empty() && text.front() == '>' && text.size() > 1 && text[1] == ' ') {  // quoted in a mail
        text.remove_prefix(2);
        skip_spaces(text);
    }
    bool pid_known = take_bracketed_pid(text, line);
    for (int word = 0; word < 2; word++) {
        if (text.empty() || !digit(text.front()))
            break;
        if (line.form == TimeForm::kNone && take_time_of_day(text, line)) {
            skip_spaces(text);
            continue;
        }
        std::string_view rest = text;
        uint64_t number = 0;
        take_digits(rest, number);
        if (!rest.empty() && rest.front() == '.' && line.form == TimeForm::kNone) {
            take_decimal_time(rest, number, line);
        } else if (!pid_known && line.form == TimeForm::kNone) {
            line.pid = as_pid(number);
            line.comm = take_comm(rest);
            pid_known = true;
        } else if (line.form == TimeForm::kNone && number >= kEpochFrom) {
            line.form = TimeForm::kEpochSeconds;
            line.time = std::min<uint64_t>(number, 1ULL << 33) * NSEC_PER_SEC;
        } else {
            break;
        }
        if (rest.empty() || (rest.front() != ' ' && rest.front() != '\t'))
            break;
        skip_spaces(rest);
        text = rest;
    }
    drop_relative(text);
    drop_address_and_number(text);
}

LogLine refuse(LogLine line, Refusal reason)
{
    line.kind = Kind::kRefused;
    line.refusal = reason;
    return line;
}

bool ends_with(std::string_view text, std::string_view tail)
{
    return text.size() >= tail.size() && text.substr(text.size() - tail.size()) == tail;
}

LogLine resumed(LogLine line, std::string_view text)
{
    text.remove_prefix(4);  // "<..."
    skip_spaces(text);
    size_t length = 0;
    while (length < text.size() && name_char(text[length]))
        length++;
    line.name = text.substr(0, length);
    text.remove_prefix(length);
    constexpr std::string_view kWord = " resumed>";
    if (text.substr(0, kWord.size()) != kWord)
        return refuse(line, Refusal::kNoCall);
    line.kind = Kind::kResumed;
    line.rest = text.substr(kWord.size());
    // Older versions print a space here that is not part of the argument.
    skip_spaces(line.rest);
    return line;
}

// How long the text is without "<unfinished ...>", and what somebody wrote behind it.
size_t without_unfinished(std::string_view text)
{
    constexpr size_t kLongestRemark = 80;
    const size_t from = text.size() - std::min(text.size(), kLongestRemark);
    for (std::string_view tail : {kUnfinishedTail, kDetachedTail})
        if (const size_t at = text.substr(from).rfind(tail); at != std::string_view::npos) {
            const std::string_view remark = text.substr(from + at + tail.size());
            if (remark.empty() || (remark.front() == ' ' && remark.find_first_of("\"=)") == std::string_view::npos))
                return from + at;
        }
    return text.size();
}

LogLine call(LogLine line, std::string_view text)
{
    size_t length = 0;
    while (length < text.size() && name_char(text[length]))
        length++;
    if (!length || length == text.size() || text[length] != '(')
        return refuse(line, Refusal::kNoCall);
    line.name = text.substr(0, length);
    line.rest = text.substr(length + 1);
    line.kind = Kind::kCall;
    if (size_t at = line.rest.substr(0, 216).find("strace: Process ");  // on Ctrl-C, in the wait it interrupts
        at != std::string_view::npos && at < 200 && line.rest.find('"') > at) {
        line.kind = Kind::kUnfinished;
        line.rest = line.rest.substr(0, at);
        return line;
    }
    if (const size_t end = without_unfinished(line.rest); end < line.rest.size()) {
        line.kind = Kind::kUnfinished;
        line.rest = line.rest.substr(0, end);
    }
    return line;
}

}  // namespace

const char* refusal_text(Refusal reason)
{
    static constexpr const char* kTexts[] = {"",
                                             "not strace output",
                                             "cut off before the call's result",
                                             "end of a call whose beginning is not in the log",
                                             "arguments that cannot be read",
                                             "longer than 1 MiB",
                                             "more processes, threads or files than are kept"};
    return kTexts[static_cast<size_t>(reason) % std::size(kTexts)];
}

size_t leader_length(std::string_view text)
{
    LogLine line;
    std::string_view rest = text;
    take_leader(rest, line);
    return text.size() - rest.size();
}

LogLine parse_line(std::string_view text)
{
    LogLine line;
    while (!text.empty() && (text.back() == '\r' || text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    if (text.empty()) {
        line.kind = Kind::kEmpty;
        return line;
    }
    if (text.substr(0, 3) == " > " && text.find("(") != std::string_view::npos && ends_with(text, "]")) {
        line.kind = Kind::kStack;
        return line;
    }
    if (text.substr(0, 8) == "strace: ") {
        line.kind = Kind::kMessage;
        line.rest = text.substr(8);
        return line;
    }
    take_leader(text, line);
    if (text.substr(0, 4) == "--- ") {
        line.kind = Kind::kSignal;
    } else if (text.substr(0, 4) == "+++ ") {
        line.kind = text.find("superseded") != std::string_view::npos ? Kind::kReplaced : Kind::kExited;
    } else if (text.substr(0, 4) == "<...") {
        return resumed(line, text);
    } else if (text.substr(0, 8) == "strace: ") {
        line.kind = Kind::kMessage;
        text.remove_prefix(8);
    } else if (text == kDetachedTail || text == kUnfinishedTail) {
        line.kind = Kind::kMessage;
    } else {
        return call(line, text);
    }
    line.rest = text;
    return line;
}

}  // namespace epaudit
