// SPDX-License-Identifier: Apache-2.0
// The arguments of a call, one after the other, and its result.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace epaudit {

// A descriptor as printed: "7", with -y "7</dev/null>", with -yy "7<TCP:[127.0.0.1:80->127.0.0.1:5555]>".
struct PrintedFd {
    int number = -1;
    std::string_view decoration;  // without the angle brackets
};

struct PrintedResult {
    bool known = false;  // false: "= ?", the call never returned
    int64_t value = 0;   // -errno when it failed
    std::string_view decoration;
    std::string_view note;  // "(flags O_RDWR|O_NONBLOCK)", "(Timeout)"
    int64_t duration = -1;  // ns (-T); -1: not printed
};

class Arguments {
public:
    explicit Arguments(std::string_view text) : text_(text) {}

    // Each takes one argument. False, or empty, when there is none or it is not what was asked for; the argument
    // is used up all the same.
    std::string_view raw();
    bool number(int64_t& value);
    bool fd(PrintedFd& fd);
    void skip(unsigned count);

    // Moves past what is left of the arguments and reads the result. False: it is cut off.
    bool result(PrintedResult& result);
    // Back to the first argument.
    void rewind() { at_ = next_ = 0; }
    // What stands behind the result.
    std::string_view left() const { return left_; }

private:
    struct Span {
        std::string_view value;
        size_t after = 0;
    };
    std::string_view text_;
    size_t at_ = 0;
    std::array<Span, 6> spans_;  // those that were read before
    unsigned known_ = 0;
    unsigned next_ = 0;
    std::string_view left_;
};

// Decimal, hexadecimal (0x) or octal (0), with a sign; the whole text.
bool parse_number(std::string_view text, int64_t& value);
bool parse_fd(std::string_view text, PrintedFd& fd);
// Index just past one value: up to the next ',' or closing bracket of its own level.
size_t skip_value(std::string_view text, size_t at);
// The value of "name=" directly inside this struct: field("{events=EPOLLIN, data=0x5}", "data"). Empty: absent.
std::string_view field(std::string_view text, std::string_view name);
// Calls `each(element)` for the elements of "[a, b, ...]" or "{a, b}"; stops when it returns false.
template <typename Each>
void for_elements(std::string_view text, Each each)
{
    if (text.size() < 2)
        return;
    size_t at = 1;
    while (at < text.size()) {
        while (at < text.size() && (text[at] == ' ' || text[at] == ','))
            at++;
        if (at >= text.size() || text[at] == ']' || text[at] == '}')
            return;
        size_t end = skip_value(text, at);
        if (end == at || !each(text.substr(at, end - at)))
            return;
        at = end;
    }
}

// "<0.000012>" at the end of a line (-T) in ns; -1: none.
int64_t printed_duration(std::string_view text);

}  // namespace epaudit
