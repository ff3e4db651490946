// SPDX-License-Identifier: Apache-2.0
// One finding: headline, sentence, numbers, timeline, stacks, fix.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <ostream>

#include "src/report/text.h"
#include "src/report/timeline.h"
#include "src/report/words.h"

namespace epaudit {

namespace {

constexpr size_t kMargin = 2;
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
    case Level::kConfirmed: return "\x1b[1;31m";
    case Level::kLikely: return "\x1b[1;33m";
    case Level::kRisk: return "\x1b[36m";
    case Level::kInfo: break;
    }
    return "\x1b[2m";
}

std::string address_text(const FdInfo& fd)
{
    if (fd.peer.empty())
        return fd.local;
    return (fd.local.empty() ? "?" : fd.local) + " -> " + fd.peer;
}

std::string fd_text(const FdInfo& fd)
{
    if (fd.number < 0)
        return fd.kind;
    return fmt::format("{}fd {}", fd.kind.empty() ? "" : fd.kind + " ", fd.number);
}

class Block {
public:
    Block(const Finding& finding, const Options& options, std::ostream& out)
        : finding_(finding), out_(out), colour_(options.colour), width_(std::max<size_t>(options.width, 40))
    {
    }

    void write()
    {
        headline();
        paragraph(finding_.summary);
        numbers();
        lines(timeline_lines(finding_.timeline, width_ - kMargin));
        for (const Stack& stack : finding_.stacks)
            frames(stack);
        fix();
    }

private:
    void headline()
    {
        const std::string level = upper(level_name(finding_.level));
        std::vector<std::string> parts{level, finding_.rule + " " + finding_.name};
        if (!finding_.comm.empty() || finding_.pid != 0)
            parts.push_back(fmt::format("{}[{}]", finding_.comm.empty() ? "?" : finding_.comm, finding_.pid));
        if (finding_.epoll_fd >= 0)
            parts.push_back(fmt::format("epoll fd {}", finding_.epoll_fd));
        for (const std::string& part : {fd_text(finding_.fd), address_text(finding_.fd)})
            if (!part.empty())
                parts.push_back(part);

        std::vector<std::string> head = fill(parts, width_, kMargin);
        if (colour_)
            head[0] = colour_of(finding_.level) + level + "\x1b[0m" + head[0].substr(level.size());
        for (const std::string& line : head)
            out_ << line << '\n';
    }

    void lines(const std::vector<std::string>& body)
    {
        if (!body.empty())
            out_ << '\n';
        for (const std::string& line : body)
            fmt::print(out_, "{}{}\n", line.empty() ? "" : std::string(kMargin, ' '), line);
    }

    void paragraph(const std::string& text)
    {
        if (!text.empty())
            lines(wrap(text, width_ - kMargin));
    }

    // The name of the program where the comm does not already say it.
    bool exe_says_more() const
    {
        const std::string base = finding_.exe.substr(finding_.exe.rfind('/') + 1);
        return !base.empty() && base.substr(0, 15) != finding_.comm;
    }

    void numbers()
    {
        std::vector<std::pair<std::string, std::string>> rows;
        if (exe_says_more())
            rows.emplace_back("program", finding_.exe);
        for (const auto& [name, value] : finding_.facts)
            rows.emplace_back(clean(name), value);
        if (!finding_.shape.empty())
            rows.emplace_back("pattern", finding_.shape);
        if (finding_.count > 0)
            rows.emplace_back("seen", plural(finding_.count, "time"));
        if (finding_.fds > 1)
            rows.emplace_back(
                "fds", fmt::format("{} show the same, this one is the example", grouped(finding_.fds)));
        for (const Measure& measure : finding_.cost)
            rows.push_back(measure_text(measure));

        size_t label = 0;
        for (const auto& row : rows)
            label = std::max(label, std::min(columns(row.first), kLabelMax));
        std::vector<std::string> body;
        for (const auto& [name, value] : rows)
            labelled(name, value, label, body);
        lines(body);
    }

    void labelled(const std::string& name, const std::string& value, size_t label,
                  std::vector<std::string>& body)
    {
        std::string head = padded(name, label) + "  ";
        if (columns(name) > label) {
            for (const std::string& line : wrap(name, width_ - kMargin))
                body.push_back(line);
            head = std::string(label + 2, ' ');
        }
        for (const std::string& line : wrap(value, width_ - kMargin - label - 2)) {
            body.push_back(head + line);
            head = std::string(label + 2, ' ');
        }
    }

    void frames(const Stack& stack)
    {
        size_t longest = 0;
        for (const Frame& frame : stack.frames)
            longest = std::max(longest, std::min(columns(clean(frame.function)), kFunctionMax));
        std::vector<std::string> body{clean(stack.what)};
        for (const Frame& frame : stack.frames) {
            const std::string function = clean(frame.function.empty() ? "?" : frame.function);
            std::string where = clean(frame.file);
            if (!where.empty() && frame.line > 0)
                where += fmt::format(":{}", frame.line);
            const std::string line = where.empty() ? function : padded(function, longest) + "  " + where;
            if (columns(line) <= width_ - 2 * kMargin)
                body.push_back("  " + line);
            else
                for (const std::string& part : fill({function, where}, width_ - 2 * kMargin, kMargin))
                    body.push_back("  " + part);
        }
        lines(body);
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
    bool colour_;
    size_t width_;
};

}  // namespace

void write_finding(const Finding& finding, const Options& options, std::ostream& out)
{
    Block(finding, options, out).write();
}

}  // namespace epaudit
