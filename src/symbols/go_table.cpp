// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/go_table.h"

#include <algorithm>
#include <cstring>

namespace epaudit {
namespace {

constexpr uint32_t kMagic118 = 0xfffffff0, kMagic120 = 0xfffffff1;
constexpr size_t kLongestText = 4096;
constexpr size_t kMostInlined = 32;
constexpr size_t kMostSteps = 1 << 20;  // of a table by pc; those that move nothing would be without end
// Fields of a function's record, as u32.
constexpr uint64_t kNameField = 4, kStackField = 16, kFileField = 20, kLineField = 24, kTablesField = 28,
                   kUnitField = 32;
constexpr uint32_t kInlineTable = 2;  // PCDATA_InlTreeIndex
constexpr uint32_t kInlineTree = 3;   // FUNCDATA_InlTree

template <typename T>
bool load(std::span<const uint8_t> bytes, uint64_t at, T& value)
{
    if (at > bytes.size() || bytes.size() - at < sizeof(value))
        return false;
    memcpy(&value, bytes.data() + at, sizeof(value));
    return true;
}

// Seven bits a byte, the lowest first.
bool varint(std::span<const uint8_t> bytes, uint64_t& at, uint32_t& value)
{
    value = 0;
    for (unsigned shift = 0; shift < 35 && at < bytes.size(); shift += 7) {
        const uint8_t byte = bytes[at++];
        value |= static_cast<uint32_t>(byte & 0x7f) << (shift & 31);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

}  // namespace

std::optional<GoTable> GoTable::parse(std::vector<uint8_t> bytes)
{
    uint32_t magic = 0;
    uint64_t words[8];
    if (bytes.size() < 8 + sizeof(words))
        return std::nullopt;
    memcpy(&magic, bytes.data(), sizeof(magic));
    memcpy(words, bytes.data() + 8, sizeof(words));
    GoTable table;
    table.quantum_ = bytes[6];
    const bool known = magic == kMagic118 || magic == kMagic120;
    if (!known || bytes[4] || bytes[5] || bytes[7] != 8 ||
        (table.quantum_ != 1 && table.quantum_ != 2 && table.quantum_ != 4))
        return std::nullopt;
    table.since_120_ = magic == kMagic120;
    table.count_ = words[0];
    table.text_ = words[2];
    uint64_t* const offsets[] = {&table.names_, &table.units_, &table.files_, &table.tables_, &table.functions_};
    for (size_t i = 0; i < std::size(offsets); i++) {
        *offsets[i] = words[3 + i];
        if (words[3 + i] > bytes.size())
            return std::nullopt;
    }
    // A pair for each, and the end of the last one.
    if (table.count_ == 0 || table.count_ > (bytes.size() - table.functions_) / 8 ||
        bytes.size() - table.functions_ - table.count_ * 8 < 4)
        return std::nullopt;
    table.bytes_ = std::move(bytes);
    return table;
}

bool GoTable::number(uint64_t at, uint32_t& value) const { return load<uint32_t>(bytes_, at, value); }

std::string GoTable::name(uint64_t at) const
{
    if (at >= bytes_.size())
        return {};
    const auto from = bytes_.begin() + static_cast<ptrdiff_t>(at);
    const auto last = from + static_cast<ptrdiff_t>(std::min(kLongestText, bytes_.size() - at));
    const auto end = std::find(from, last, 0);
    return end == last ? std::string() : std::string(from, end);
}

std::optional<GoTable::Function> GoTable::function(uint64_t address) const
{
    if (!text() || address < text() || address - text() > UINT32_MAX)
        return std::nullopt;
    const uint64_t wanted = address - text();
    auto start = [&](uint64_t index) {
        uint32_t offset = 0;
        number(functions_ + index * 8, offset);
        return offset;
    };
    uint64_t low = 0, high = count_;  // the one looked for is in [low, high)
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        (start(middle) <= wanted ? low : high) = middle;
    }
    uint32_t record = 0;
    if (start(low) > wanted || wanted >= start(low + 1) || !number(functions_ + low * 8 + 4, record))
        return std::nullopt;
    return Function{functions_ + record, text() + start(low), text() + start(low + 1)};
}

// A table by pc: pairs of a change of the value and of how far it holds.
std::optional<int64_t> GoTable::value(uint32_t table, const Function& function, uint64_t address) const
{
    if (!table)
        return std::nullopt;
    uint64_t at = tables_ + table, pc = function.entry;
    int64_t value = -1;
    for (size_t steps = 0; pc < function.end && steps < kMostSteps; steps++) {
        uint32_t change = 0, length = 0;
        if (!varint(bytes_, at, change) || (change == 0 && steps) || !varint(bytes_, at, length))
            return std::nullopt;
        value += change & 1 ? ~static_cast<int64_t>(change >> 1) : static_cast<int64_t>(change >> 1);
        pc += static_cast<uint64_t>(length) * quantum_;
        if (address < pc)
            return value;
    }
    return std::nullopt;
}

void GoTable::set_place(Frame& frame, const Function& function, uint64_t address) const
{
    uint32_t files = 0, lines = 0, unit = 0, offset = 0;
    if (!number(function.at + kFileField, files) || !number(function.at + kLineField, lines) ||
        !number(function.at + kUnitField, unit))
        return;
    const auto file = value(files, function, address), line = value(lines, function, address);
    if (!file || *file < 0 || !line || *line <= 0 || *line > INT32_MAX)
        return;
    if (!number(units_ + (static_cast<uint64_t>(unit) + static_cast<uint64_t>(*file)) * 4, offset))
        return;
    frame.file = name(files_ + offset);
    if (!frame.file.empty())
        frame.line = static_cast<int>(*line);
}

std::optional<GoTable::Inlined> GoTable::inlined(const Function& function, uint64_t address) const
{
    // Behind the fixed fields: tables by pc, then offsets of data.
    const uint64_t behind = function.at + kUnitField + (since_120_ ? 12 : 8);
    uint32_t tables = 0, table = 0, tree = 0;
    if (behind > bytes_.size() || !number(function.at + kTablesField, tables) || tables <= kInlineTable ||
        bytes_[behind - 1] <= kInlineTree || !number(behind + kInlineTable * 4, table) ||
        !number(behind + (static_cast<uint64_t>(tables) + kInlineTree) * 4, tree) || tree == UINT32_MAX)
        return std::nullopt;
    const auto index = value(table, function, address);
    if (!index || *index < 0)
        return std::nullopt;
    // {parent i16, id u8, pad, file i32, line i32, name i32, pc i32}, since 1.20 {id u8, pad[3], name i32, pc i32, line i32}
    const uint64_t at = tree + static_cast<uint64_t>(*index) * (since_120_ ? 16 : 20);
    int32_t name = 0, parent = 0;
    if (!load<int32_t>(module_.function_data, at + (since_120_ ? 4 : 12), name) ||
        !load<int32_t>(module_.function_data, at + (since_120_ ? 8 : 16), parent) || name < 0 || parent < 0)
        return std::nullopt;
    return Inlined{name, parent};
}

std::vector<Frame> GoTable::frames(uint64_t address) const
{
    std::vector<Frame> frames;
    const auto function = this->function(address);
    if (!function)
        return frames;
    while (frames.size() < kMostInlined) {
        const auto call = inlined(*function, address);
        if (!call)
            break;
        Frame frame;
        frame.function = name(names_ + static_cast<uint64_t>(call->name));
        frame.inlined = true;
        set_place(frame, *function, address);
        frames.push_back(std::move(frame));
        address = function->entry + static_cast<uint64_t>(call->parent);
    }
    Frame frame;
    uint32_t own = 0;
    if (number(function->at + kNameField, own))
        frame.function = name(names_ + own);
    set_place(frame, *function, address);
    frames.push_back(std::move(frame));
    return frames;
}

std::optional<uint64_t> GoTable::frame_size(uint64_t address) const
{
    const auto function = this->function(address);
    uint32_t table = 0;
    if (!function || !number(function->at + kStackField, table))
        return std::nullopt;
    const auto size = value(table, *function, address);
    if (!size || *size < 0 || *size % 8)
        return std::nullopt;
    return static_cast<uint64_t>(*size);
}

}  // namespace epaudit
