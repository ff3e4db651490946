// SPDX-License-Identifier: Apache-2.0
#include "src/strace/panes.h"

#include <algorithm>
#include <map>
#include <set>

#include "src/strace/shape.h"

namespace epaudit {
namespace {

constexpr size_t kNarrowest = 20;
constexpr size_t kFewestLines = 4;
constexpr std::string_view kRules[] = {"\u2502", "\u2503", "|"};

bool begins_sign(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Where in the line a column begins; npos: the line is shorter.
size_t byte_of(std::string_view line, size_t column)
{
    for (size_t at = 0; at < line.size(); at++)
        if (begins_sign(line[at]) && column-- == 0)
            return at;
    return std::string_view::npos;
}

size_t signs_in(std::string_view text)
{
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_sign));
}

bool has_rule(std::string_view line, size_t column, std::string_view rule)
{
    const size_t at = byte_of(line, column);
    return at != std::string_view::npos && line.substr(at).starts_with(rule);
}

// The columns in which most lines have this sign.
std::vector<size_t> columns_of(const std::vector<std::string>& lines, std::string_view rule)
{
    std::map<size_t, size_t> seen;
    for (const std::string& line : lines)
        for (size_t at = line.find(rule); at != std::string::npos; at = line.find(rule, at + rule.size()))
            seen[signs_in(std::string_view(line).substr(0, at))]++;
    std::vector<size_t> columns;
    for (const auto& [column, count] : seen)
        if (column >= kNarrowest && count >= kFewestLines && count * 4 >= lines.size() * 3)
            columns.push_back(column);
    return columns;
}

// Tables have rules, too, and what stands before one may be the beginning of the line. A pane is what has calls of its own.
// The common sign also stands between flags and between calls: there both sides must have calls, and the left one lines of
// several widths, behind which there is nothing.
bool is_pane(const std::vector<std::string>& lines, size_t column, std::string_view rule)
{
    size_t left = 0, right = 0, narrow = 0;
    std::set<size_t> widths;
    for (const std::string_view line : lines) {
        if (!has_rule(line, column, rule))
            continue;
        const size_t at = byte_of(line, column);
        const std::string_view text = without_spaces_behind(line.substr(0, at));
        left += find_call(text) != std::string_view::npos;
        right += find_call(line.substr(at + rule.size())) != std::string_view::npos;
        narrow += text.size() + 1 < at;
        widths.insert(text.size());
    }
    if (rule != "|")
        return left >= kFewestLines;
    return left >= kFewestLines && right >= kFewestLines && narrow * 2 > lines.size() && widths.size() > 1;
}

}  // namespace

void LogPanes::learn(const std::vector<std::string>& lines)
{
    columns_.clear();
    last_width_ = 0;
    for (std::string_view rule : kRules) {
        for (size_t column : columns_of(lines, rule))
            if (is_pane(lines, column, rule))
                columns_.push_back({column, rule});
        if (any())
            break;
    }
    if (!any())
        return;
    size_t widest = 0, count = 0;
    for (const std::string& line : lines) {
        const size_t width = apart(std::string_view(line)).back().text.size();
        count = width > widest ? 0 : count;
        widest = std::max(widest, width);
        count += width == widest;
    }
    last_width_ = widest >= kNarrowest && count >= kFewestLines ? widest : 0;
}

std::vector<LogPanes::Part> LogPanes::apart(std::string_view line) const
{
    std::vector<Part> parts;
    size_t begin = 0, column = 0;
    for (const Column& next : columns_) {
        const size_t at = has_rule(line, next.at, next.rule) ? byte_of(line, next.at) : std::string_view::npos;
        if (at == std::string_view::npos)
            break;
        const std::string_view text = without_spaces_behind(line.substr(begin, at - begin));
        parts.push_back({text, signs_in(text) + 1 >= next.at - column});
        begin = at + next.rule.size();
        column = next.at + 1;
    }
    const std::string_view rest = line.substr(begin);
    parts.push_back({rest, parts.size() == columns_.size() && last_width_ && rest.size() >= last_width_});
    return parts;
}

std::vector<std::string> LogPanes::apart(const std::vector<std::string>& lines) const
{
    std::vector<std::vector<std::string>> panes(columns_.size() + 1);
    for (const std::string& line : lines) {
        const std::vector<Part> parts = apart(std::string_view(line));
        for (size_t i = 0; i < parts.size(); i++)
            panes[i].emplace_back(parts[i].text);
    }
    std::vector<std::string> all;
    for (const std::vector<std::string>& pane : panes)
        all.insert(all.end(), pane.begin(), pane.end());
    return all;
}

}  // namespace epaudit
