// SPDX-License-Identifier: Apache-2.0
// One finding: headline, sentence, numbers, timeline, stacks, source line, fix.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <ostream>

#include "src/evidence/place.h"
#include "src/report/markup.h"
#include "src/report/text.h"
#include "src/report/timeline.h"
#include "src/report/words.h"
#include "src/support/terminal.h"

namespace epaudit {

namespace {

constexpr size_t kIndent = 2;
constexpr size_t kLabelMax = 24;
constexpr size_t kFunctionMax = 40;

std::string upper(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
}

const char* colour_of(Level level)
{
    switch (level) {
    case Level::kConfirmed: return ansi::kBoldRed;
    case Level::kLikely: return ansi::kBoldYellow;
    case Level::kRisk: return ansi::kCyan;
    case Level::kInfo: break;
    }
    return ansi::kDim;
}

std::string cut(const std::string& line, size_t width)
{
    if (columns(line) <= width)
        return line;
    return std::string(cut_to_columns(line, width - 4)) + " ...";
}

class Block {
public:
    Block(const Finding& finding, const Options& options, std::ostream& out)
        : finding_(finding),
          out_(out),
          directory_(options.directory),
          colour_(options.colour),
          width_(std::max<size_t>(options.width, 40))
    {
    }

    void write()
    {
        headline();
        paragraph(finding_.summary);
        numbers();
        lines(timeline_lines(finding_.timeline, width_ - kIndent));
        for (const Stack& stack : finding_.stacks)
            frames(stack);
        source();
        fix();
    }

private:
    void headline()
    {
        const std::string level = upper(level_name(finding_.level));
        std::vector<std::string> parts = where_parts(finding_);
        parts.insert(parts.begin(), {level, finding_.rule + " " + finding_.name});

        std::vector<std::string> head = fill(parts, width_, kIndent);
        if (colour_)
            head[0] = colour_of(finding_.level) + level + ansi::kReset + head[0].substr(level.size());
        for (const std::string& line : head)
            out_ << line << '\n';
    }

    void lines(const std::vector<std::string>& body)
    {
        if (!body.empty())
            out_ << '\n';
        for (const std::string& line : body)
            fmt::print(out_, "{}{}\n", line.empty() ? "" : std::string(kIndent, ' '), line);
    }

    void paragraph(const std::string& text)
    {
        if (!text.empty())
            lines(wrap(text, width_ - kIndent));
    }

    void numbers()
    {
        const auto rows = numbers_of(finding_);
        size_t label = 0;
        for (const auto& row : rows)
            label = std::max(label, std::min(columns(row.first), kLabelMax));
        std::vector<std::string> body;
        for (const auto& [name, value] : rows)
            labelled(name, value, label, body);
        lines(body);
    }

    void labelled(const std::string& name, const std::string& value, size_t label, std::vector<std::string>& body)
    {
        std::string head = padded(name, label) + "  ";
        if (columns(name) > label) {
            for (const std::string& line : wrap(name, width_ - kIndent))
                body.push_back(line);
            head = std::string(label + 2, ' ');
        }
        for (const std::string& line : wrap(value, width_ - kIndent - label - 2)) {
            body.push_back(head + line);
            head = std::string(label + 2, ' ');
        }
    }

    void frames(const Stack& stack)
    {
        std::vector<std::pair<std::string, std::string>> rows;
        size_t longest = 0;
        for (const Frame& frame : stack.frames) {
            rows.push_back(frame_text(frame, directory_));
            longest = std::max(longest, std::min(columns(rows.back().first), kFunctionMax));
        }
        std::vector<std::string> body{clean(stack.what)};
        for (const auto& [function, where] : rows) {
            const std::string line = where.empty() ? function : padded(function, longest) + "  " + where;
            if (columns(line) <= width_ - 2 * kIndent)
                body.push_back("  " + line);
            else
                for (const std::string& part : fill({function, where}, width_ - 2 * kIndent, kIndent))
                    body.push_back("  " + part);
        }
        for (const std::string& line :
             stack.hint.empty() ? std::vector<std::string>() : wrap(clean(stack.hint), width_ - 2 * kIndent))
            body.push_back("  " + line);
        lines(body);
    }

    // The guilty line and its neighbours.
    void source()
    {
        through();
        if (!finding_.source)
            return;
        const SourceExcerpt& excerpt = *finding_.source;
        const int last = excerpt.first + static_cast<int>(excerpt.lines.size()) - 1;
        const size_t digits = std::to_string(last).size();
        std::vector<std::string> body{fmt::format("{}:{}", clean(shown_path(excerpt.file, directory_)), excerpt.line)};
        int number = excerpt.first;
        for (const std::string& line : excerpt.lines) {
            const std::string head = fmt::format("{} {:>{}} | ", number == excerpt.line ? ">" : " ", number, digits);
            body.push_back(head + cut(clean(untabbed(line)), width_ - kIndent - head.size()));
            number++;
        }
        lines(body);
    }

    // Who called, and what was called to pass it on.
    void through()
    {
        const GuiltyPlace place = guilty_place(finding_);
        if (!place.helper)
            return;
        const auto [function, where] = frame_text(*place.frame, directory_);
        const auto [helper, helper_where] = frame_text(*place.helper, directory_);
        lines(wrap(fmt::format("the call comes from {} ({}); {} ({}) only passes it on", function, where, helper,
                               helper_where),
                   width_ - kIndent));
    }

    void fix()
    {
        std::vector<std::string> body;
        if (!finding_.fix.empty())
            labelled("fix", finding_.fix, 3, body);
        lines(body);
    }

    const Finding& finding_;
    std::ostream& out_;
    const std::string& directory_;
    bool colour_;
    size_t width_;
};

}  // namespace

void write_finding(const Finding& finding, const Options& options, std::ostream& out)
{
    Block(finding, options, out).write();
}

}  // namespace epaudit
