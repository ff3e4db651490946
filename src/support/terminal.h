// SPDX-License-Identifier: Apache-2.0
// What is known of the terminal that somebody reads at, and the few control sequences that are sent to it.
#pragma once

#include <cstddef>
#include <string_view>

namespace epaudit {

namespace ansi {
inline constexpr const char* kReset = "\x1b[0m";
inline constexpr const char* kBold = "\x1b[1m";
inline constexpr const char* kDim = "\x1b[2m";
inline constexpr const char* kUnderline = "\x1b[4m";
inline constexpr const char* kRed = "\x1b[31m";
inline constexpr const char* kGreen = "\x1b[32m";
inline constexpr const char* kYellow = "\x1b[33m";
inline constexpr const char* kCyan = "\x1b[36m";
inline constexpr const char* kBoldRed = "\x1b[1;31m";
inline constexpr const char* kBoldGreen = "\x1b[1;32m";
inline constexpr const char* kBoldYellow = "\x1b[1;33m";
inline constexpr const char* kLineAgain = "\r\x1b[K";  // this line anew
// A screen of its own, and back: what stood there before, and could be scrolled to, is there again afterwards.
inline constexpr const char* kScreenOn = "\x1b[?1049h";
inline constexpr const char* kScreenOff = "\x1b[?1049l";
inline constexpr const char* kWrapOff = "\x1b[?7l";  // what is too wide for a line is cut
inline constexpr const char* kWrapOn = "\x1b[?7h";
inline constexpr const char* kHome = "\x1b[H";
inline constexpr const char* kRestOfLine = "\x1b[K";    // away with it
inline constexpr const char* kRestOfScreen = "\x1b[J";  // and with this
}  // namespace ansi

// A terminal that understands the above: one, and not TERM=dumb.
bool is_capable_terminal(int fd);

// --color WHEN. "auto": such a terminal, unless NO_COLOR is set and not empty (no-color.org).
bool wants_colour(std::string_view when, int fd);

struct TerminalSize {
    size_t columns;
    size_t rows;
};
// As it is now; the second for what is no terminal, or does not know.
TerminalSize terminal_size(int fd, TerminalSize otherwise);

// How wide text for people may be that is written there: a terminal's width, within what can be read (60 to 120); else 100.
size_t text_width(int fd);

// Columns that the character at the beginning of `text` takes, and its bytes. What is not UTF-8 takes one, a combining
// character none, a CJK one two.
struct Glyph {
    size_t bytes;
    size_t columns;
};
Glyph first_glyph(std::string_view text);

// The bytes of `text` that fit.
std::string_view cut_to_columns(std::string_view text, size_t columns);

}  // namespace epaudit
