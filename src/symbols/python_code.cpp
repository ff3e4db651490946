// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/python_code.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace epaudit {
namespace {

constexpr size_t kLongestPath = 4096, kLongestFunction = 512, kLongestTable = 1 << 20;
constexpr size_t kMostCodes = 4096;
constexpr uint64_t kTypeAt = 8;                    // PyObject.ob_type
constexpr uint64_t kSizeAt = 16, kBytesAt = 32;    // PyVarObject.ob_size, PyBytesObject.ob_sval
constexpr uint64_t kLengthAt = 16, kStateAt = 32;  // PyASCIIObject
constexpr uint32_t kCompact = 3, kAscii = 4;       // bits behind the first of `kind`
constexpr int64_t kUnit = 2;                       // bytes of a code unit
enum LineKind { kOneLine0 = 10, kOneLine2 = 12, kNoColumns = 13, kLong = 14, kNone = 15 };

// Six bits a byte, the lowest first; 0x40: there is more.
class Table {
public:
    explicit Table(std::string_view bytes) : left_(bytes) {}

    bool ended() const { return left_.empty(); }
    uint8_t byte()
    {
        const uint8_t value = left_.empty() ? 0 : static_cast<uint8_t>(left_.front());
        left_.remove_prefix(left_.empty() ? 0 : 1);
        return value;
    }
    uint64_t number()
    {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 60; shift += 6) {
            const uint8_t next = byte();
            value |= static_cast<uint64_t>(next & 0x3f) << shift;
            if (!(next & 0x40))
                break;
        }
        return value;
    }
    int64_t signed_number()
    {
        const uint64_t value = number();
        return value & 1 ? -static_cast<int64_t>(value >> 1) : static_cast<int64_t>(value >> 1);
    }

private:
    std::string_view left_;
};

// How many lines further an entry is; what it says of columns is passed over.
int64_t lines_on(Table& table, unsigned kind)
{
    switch (kind) {
    case kNone: return 0;
    case kLong: {
        const int64_t on = table.signed_number();
        for (int field = 0; field < 3; field++)
            table.number();
        return on;
    }
    case kNoColumns: return table.signed_number();
    default:
        table.byte();
        if (kind < kOneLine0)
            return 0;
        table.byte();
        return kind - kOneLine0;
    }
}

void append_utf8(std::string& text, uint32_t point)
{
    auto tail = [&](int shift) { text += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
    if (point < 0x80) {
        text += static_cast<char>(point);
    } else if (point < 0x800) {
        text += static_cast<char>(0xc0 | point >> 6);
        tail(0);
    } else if (point < 0x10000) {
        text += static_cast<char>(0xe0 | point >> 12);
        tail(6);
        tail(0);
    } else {
        text += static_cast<char>(0xf0 | (point >> 18 & 7));
        tail(12);
        tail(6);
        tail(0);
    }
}

// A path with bytes that are no UTF-8 has them as lone surrogates (PEP 383).
std::string from_characters(const std::string& bytes, size_t width)
{
    std::string text;
    for (size_t at = 0; at + width <= bytes.size(); at += width) {
        uint32_t point = 0;
        memcpy(&point, bytes.data() + at, width);
        if (point >= 0xdc80 && point <= 0xdcff)
            text += static_cast<char>(point - 0xdc00);
        else
            append_utf8(text, point);
    }
    return text;
}

uint64_t word_in(const std::vector<uint8_t>& bytes, size_t at)
{
    uint64_t word = 0;
    memcpy(&word, bytes.data() + at, sizeof(word));
    return word;
}

}  // namespace

std::optional<int> python_line(std::string_view bytes, int first_line, int64_t offset)
{
    Table table(bytes);
    int64_t line = first_line, at = 0;
    while (!table.ended()) {
        const uint8_t head = table.byte();
        if (!(head & 0x80))
            return std::nullopt;
        const unsigned kind = head >> 3 & 15;
        const int64_t lines = lines_on(table, kind);
        if (lines > INT32_MAX || lines < -INT32_MAX)  // many of 59 bits each would be too much for the sum
            return std::nullopt;
        line += lines;
        at += ((head & 7) + 1) * kUnit;
        if (offset < at)
            return kind != kNone && line > 0 && line <= INT32_MAX ? std::optional(static_cast<int>(line))
                                                                  : std::nullopt;
    }
    return std::nullopt;
}

std::optional<std::string> PythonCode::text_at(uint64_t address, size_t most, const ReadMemory& read) const
{
    uint64_t length = 0;
    uint32_t state = 0;
    if (!read(address + kLengthAt, &length, sizeof(length)) || !read(address + kStateAt, &state, sizeof(state)))
        return std::nullopt;
    state >>= layout_.kind_bit;
    const size_t width = state & 7;
    if (!(state >> kCompact & 1) || (width != 1 && width != 2 && width != 4) || length > most)
        return std::nullopt;
    std::string bytes(length * width, '\0');
    const uint64_t from = address + (state >> kAscii & 1 ? layout_.ascii_size : layout_.compact_size);
    if (!bytes.empty() && !read(from, bytes.data(), bytes.size()))
        return std::nullopt;
    return from_characters(bytes, width);
}

std::optional<Frame> PythonCode::frame_of(const python_frame& frame, const ReadMemory& read)
{
    const uint64_t at = frame.code & ~uint64_t{1};
    const size_t size = std::max({layout_.file_name, layout_.qualified_name, layout_.line_table, layout_.first_line}) +
                        sizeof(uint64_t);
    std::vector<uint8_t> object(std::max<size_t>(size, kTypeAt + sizeof(uint64_t)));
    if (!read(at, object.data(), object.size()) || word_in(object, kTypeAt) != layout_.code_type)
        return std::nullopt;
    int32_t first_line = 0;
    memcpy(&first_line, object.data() + layout_.first_line, sizeof(first_line));
    if (known_.size() >= kMostCodes)
        known_.clear();
    Code& code = known_[at];
    const Code now{word_in(object, layout_.file_name), word_in(object, layout_.qualified_name),
                   word_in(object, layout_.line_table), first_line};
    if (now.file_name_at != code.file_name_at || now.qualified_name_at != code.qualified_name_at ||
        now.line_table_at != code.line_table_at || now.first_line != code.first_line) {
        code = now;
        code.file_name = text_at(now.file_name_at, kLongestPath, read).value_or("");
        code.qualified_name = text_at(now.qualified_name_at, kLongestFunction, read).value_or("");
        uint64_t bytes = 0;
        if (read(now.line_table_at + kSizeAt, &bytes, sizeof(bytes)) && bytes <= kLongestTable) {
            code.line_table.resize(bytes);
            if (bytes && !read(now.line_table_at + kBytesAt, code.line_table.data(), bytes))
                code.line_table.clear();
        }
    }
    Frame named;
    named.function = code.qualified_name;
    named.file = code.file_name;
    const auto line = python_line(code.line_table, first_line,
                                  static_cast<int64_t>(frame.instr - at - layout_.instructions));
    named.line = line.value_or(std::max(first_line, 0));
    named.at_start = !line;
    return named;
}

}  // namespace epaudit
