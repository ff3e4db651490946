// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/perf_map.h"

#include <algorithm>
#include <charconv>

namespace epaudit {
namespace {

constexpr size_t kMostEntries = 1 << 20;
constexpr size_t kLongestSymbol = 1024;

// A number and the space behind it.
bool take_number(std::string_view& line, uint64_t& number)
{
    if (line.starts_with("0x") || line.starts_with("0X"))
        line.remove_prefix(2);
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number, 16);
    const size_t used = static_cast<size_t>(end - line.data());
    if (error != std::errc() || used >= line.size() || line[used] != ' ')
        return false;
    line.remove_prefix(used + 1);
    return true;
}

// ":12" at the end; taken away.
bool take_tail_number(std::string_view& text, int& number)
{
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == text.size())
        return false;
    auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0)
        return false;
    text = text.substr(0, colon);
    return true;
}

// "JS:~onReadable /app/server.js:41:17": what it is, how far it was optimised, its name, and where it begins.
bool javascript(std::string_view name, Frame& frame)
{
    constexpr std::string_view kKinds[] = {"JS:", "LazyCompile:", "Function:", "Script:", "Eval:"};
    auto kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](auto k) { return name.starts_with(k); });
    if (kind == std::end(kKinds))
        return false;
    name.remove_prefix(kind->size());
    while (!name.empty() && std::string_view("~*^+'").find(name[0]) != std::string_view::npos)
        name.remove_prefix(1);
    int column = 0, line = 0;
    std::string_view place = name;
    const bool has_place = take_tail_number(place, column) && take_tail_number(place, line);
    size_t space = std::string_view::npos;
    for (std::string_view start : {" /", " file://", " node:"})
        space = std::min(space, place.find(start));
    if (space == std::string_view::npos)
        space = place.rfind(' ');
    if (!has_place || space == std::string_view::npos) {
        frame.function = name;
        return true;
    }
    frame.function = space ? place.substr(0, space) : *kind == "Script:" ? "(top level)" : "(anonymous)";
    place.remove_prefix(space + 1);
    if (place.starts_with("file://"))
        place.remove_prefix(7);
    frame.file = place;
    frame.line = line;
    frame.at_start = true;
    return true;
}

// "py::handler:/app/server.py"
bool python(std::string_view name, Frame& frame)
{
    if (!name.starts_with("py::"))
        return false;
    name.remove_prefix(4);
    size_t colon = name.find(":/");
    if (colon == std::string_view::npos)
        colon = name.find(':');
    frame.function = name.substr(0, colon);
    if (colon != std::string_view::npos)
        frame.file = name.substr(colon + 1);
    return true;
}

}  // namespace

Frame frame_of_perf_name(std::string_view name)
{
    Frame frame;
    if (javascript(name, frame) || python(name, frame))
        return frame;
    if (name.starts_with('$'))  // Erlang
        name.remove_prefix(1);
    frame.function = name;
    return frame;
}

void PerfMap::put(uint64_t start, uint64_t end, std::string_view name)
{
    auto at = ranges_.lower_bound(start);
    if (at != ranges_.begin()) {
        auto before = std::prev(at);
        if (before->second.end > start) {  // what it covered from here on goes, up to the end of the new one
            Range rest = before->second;
            before->second.end = start;
            if (rest.end > end)
                ranges_.emplace(end, std::move(rest));
        }
    }
    at = ranges_.lower_bound(start);
    while (at != ranges_.end() && at->first < end) {
        if (at->second.end > end) {
            Range rest = std::move(at->second);
            ranges_.erase(at);
            ranges_.emplace(end, std::move(rest));
            break;
        }
        at = ranges_.erase(at);
    }
    ranges_.insert_or_assign(start, Range{end, std::string(name)});
}

PerfMap::PerfMap(std::string_view text)
{
    text = text.substr(0, kMostPerfMapBytes);
    while (!text.empty() && ranges_.size() < kMostEntries) {
        const size_t newline = text.find('\n');
        if (newline == std::string_view::npos)
            break;  // it is being written
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline + 1);
        uint64_t start = 0, size = 0;
        if (!take_number(line, start) || !take_number(line, size) || !size || start + size < start || line.empty())
            continue;
        put(start, start + size, line.substr(0, kLongestSymbol));
    }
}

std::optional<Frame> PerfMap::find(uint64_t address) const
{
    auto after = ranges_.upper_bound(address);
    if (after == ranges_.begin() || address >= std::prev(after)->second.end)
        return std::nullopt;
    Frame frame = frame_of_perf_name(std::prev(after)->second.name);
    frame.offset = address;
    return frame;
}

}  // namespace epaudit
