// SPDX-License-Identifier: Apache-2.0
#include "src/support/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cwchar>

#include "src/support/utf8.h"

namespace epaudit {
namespace {

// wcwidth() knows what the locale knows, and epaudit's own is "C", so that numbers are written the same everywhere. Where
// this one is missing (an image without files), each character counts as one column.
locale_t unicode()
{
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
}

wchar_t decoded(std::string_view sequence)
{
    const auto lead = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1)
        return static_cast<wchar_t>(lead);
    unsigned code = lead & (0xffU >> (sequence.size() + 1));
    for (const char c : sequence.substr(1))
        code = code << 6U | (static_cast<unsigned char>(c) & 0x3fU);
    return static_cast<wchar_t>(code);
}

size_t width_of(wchar_t character)
{
    if (!unicode())
        return 1;
    const locale_t before = uselocale(unicode());
    const int width = wcwidth(character);
    uselocale(before);
    return width < 0 ? 1 : static_cast<size_t>(width);
}

}  // namespace

bool is_capable_terminal(int fd)
{
    const char* term = getenv("TERM");
    return isatty(fd) && !(term && std::string_view(term) == "dumb");
}

bool wants_colour(std::string_view when, int fd)
{
    if (when != "auto")
        return when == "always";
    const char* no_color = getenv("NO_COLOR");
    return is_capable_terminal(fd) && !(no_color && *no_color);
}

TerminalSize terminal_size(int fd, TerminalSize otherwise)
{
    winsize size{};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0)
        return otherwise;
    return {size.ws_col ? size.ws_col : otherwise.columns, size.ws_row ? size.ws_row : otherwise.rows};
}

size_t text_width(int fd)
{
    constexpr size_t kNarrowest = 60, kWidest = 120, kElsewhere = 100;
    const size_t columns = isatty(fd) ? terminal_size(fd, {kElsewhere, 0}).columns : kElsewhere;
    return std::clamp(columns, kNarrowest, kWidest);
}

Glyph first_glyph(std::string_view text)
{
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead >= 0x20 && lead < 0x7f)  // nearly all
        return {1, 1};
    const size_t bytes = utf8_length(text);
    if (bytes == 0)
        return {1, 1};
    return {bytes, width_of(decoded(text.substr(0, bytes)))};
}

std::string_view cut_to_columns(std::string_view text, size_t columns)
{
    size_t at = 0;
    while (at < text.size()) {
        const Glyph glyph = first_glyph(text.substr(at));
        if (glyph.columns > columns)
            break;
        columns -= glyph.columns;
        at += glyph.bytes;
    }
    return text.substr(0, at);
}

}  // namespace epaudit
