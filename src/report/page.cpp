// SPDX-License-Identifier: Apache-2.0
#include "src/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "src/report/words.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

constexpr std::string_view kMargin = "  ";

// Where a stretch of `code` or *stress* ends that may begin at `at`; npos: none does, and the mark is a character as others.
// A stretch begins before and ends after something that is no space, so that "a * b" and "EP2*" stay.
size_t end_of_stretch(std::string_view line, size_t at)
{
    const char mark = line[at];
    if (mark != '`' && mark != '*')
        return std::string_view::npos;
    const bool inside_word = at > 0 && std::isalnum(static_cast<unsigned char>(line[at - 1]));
    if (at + 1 >= line.size() || line[at + 1] == ' ' || line[at + 1] == mark || (mark == '*' && inside_word))
        return std::string_view::npos;
    const size_t end = line.find(mark, at + 1);
    return end != std::string_view::npos && line[end - 1] != ' ' ? end : std::string_view::npos;
}

std::string without_marks(std::string_view text)
{
    std::string out;
    for (size_t at = 0; at < text.size(); ++at) {
        const size_t end = end_of_stretch(text, at);
        if (end == std::string_view::npos) {
            out += text[at];
            continue;
        }
        out += text.substr(at + 1, end - at - 1);
        at = end;
    }
    return out;
}

class Page {
public:
    Page(size_t width, bool styled) : width_(std::max<size_t>(width, 40)), styled_(styled) {}

    std::string of(std::string_view markdown)
    {
        while (!markdown.empty()) {
            const size_t end = std::min(markdown.find('\n'), markdown.size());
            line(markdown.substr(0, end));
            markdown.remove_prefix(std::min(end + 1, markdown.size()));
        }
        flush();
        return std::move(out_);
    }

private:
    void line(std::string_view text)
    {
        if (text.empty()) {
            flush();
            empty_line();
        } else if (text.starts_with("#")) {
            flush();
            heading(text);
        } else if (text.starts_with("    ") && paragraph_.empty()) {
            out_ += fmt::format("{}\n", text);
            below_heading_ = false;
        } else if (text.starts_with("- ")) {
            flush();
            first_ = "- ";
            paragraph_ = text.substr(2);
        } else {
            text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
            paragraph_ += (paragraph_.empty() ? "" : " ") + std::string(text);
        }
    }

    void heading(std::string_view text)
    {
        const bool title = !text.starts_with("##");
        text.remove_prefix(std::min(text.find_first_not_of("# "), text.size()));
        std::string words = without_marks(text);
        if (!title)
            std::transform(words.begin(), words.end(), words.begin(), [](unsigned char c) { return std::toupper(c); });
        out_ += styled_ ? fmt::format("{}{}{}\n", ansi::kBold, words, ansi::kReset) : words + "\n";
        below_heading_ = !title;
    }

    // None between a heading and what stands below it.
    void empty_line()
    {
        if (!below_heading_ && !out_.empty() && !out_.ends_with("\n\n"))
            out_ += '\n';
    }

    void flush()
    {
        if (paragraph_.empty())
            return;
        below_heading_ = false;
        out_ += beside(std::string(kMargin) + first_, without_marks(paragraph_), width_);
        paragraph_.clear();
        first_.clear();
    }

    size_t width_;
    bool styled_;
    std::string out_;
    std::string paragraph_;  // not written yet
    std::string first_;      // what stands before it: the mark of a list
    bool below_heading_ = false;
};

}  // namespace

std::string page_text(std::string_view markdown, size_t width, bool styled) { return Page(width, styled).of(markdown); }

}  // namespace epaudit
