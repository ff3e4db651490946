// SPDX-License-Identifier: Apache-2.0
#include "src/report/html_finding.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ostream>

#include "src/evidence/place.h"
#include "src/finding/explain.h"
#include "src/report/html_charts.h"
#include "src/report/markup.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

class Article {
public:
    Article(const std::string& directory, std::ostream& out) : directory_(directory), out_(out) {}

    void write(const Finding& finding, int number)
    {
        fmt::print(out_,
                   "<article class=\"card\" id=\"f{0}\" aria-labelledby=\"h{0}\">\n<h2 id=\"h{0}\">{1}{2} "
                   "{3}</h2>\n<p>{4}</p>\n",
                   number, html_badge(finding.level), html_safe(finding.rule), html_safe(finding.name),
                   html_safe(finding.summary));
        out_ << "<ul class=\"where mono\">\n";
        for (const std::string& part : where_parts(finding))
            fmt::print(out_, "<li>{}</li>\n", html_safe(part));
        out_ << "</ul>\n<dl>\n";
        for (const auto& [name, value] : numbers_of(finding))
            fmt::print(out_, "<dt>{}</dt><dd>{}</dd>\n", html_safe(name), html_safe(value));
        out_ << "</dl>\n";
        if (!finding.fix.empty())
            fmt::print(out_, "<p class=\"fix\"><b>Fix:</b> {}</p>\n", html_safe(finding.fix));
        source(finding);
        timeline(finding, number);
        for (const Stack& stack : finding.stacks)
            frames(finding, stack);
        if (const char* page = explain_text(finding.name))
            fmt::print(out_,
                       "<details>\n<summary>What {} means, and when it stays quiet</summary>\n<pre "
                       "class=\"page\">{}</pre>\n</details>\n",
                       html_safe(finding.rule), xml_escaped(page));
        fmt::print(out_, "<p class=\"soft\">fingerprint <code>{}</code></p>\n</article>\n",
                   html_safe(finding.fingerprint));
    }

private:
    void source(const Finding& finding)
    {
        if (!finding.source)
            return;
        const SourceExcerpt& excerpt = *finding.source;
        fmt::print(
            out_,
            "<h3 class=\"mono\">{}:{}</h3>\n<div class=\"source\" tabindex=\"0\" role=\"group\" aria-label=\"source\">",
            html_safe(shown_path(excerpt.file, directory_)), excerpt.line);
        int number = excerpt.first;
        for (const std::string& line : excerpt.lines) {
            fmt::print(out_, "<code{}><i>{}</i>{}</code>", number == excerpt.line ? " class=\"guilty\"" : "", number,
                       html_safe(untabbed(line)));
            number++;
        }
        out_ << "</div>\n";
    }

    void timeline(const Finding& finding, int number)
    {
        if (finding.timeline.empty())
            return;
        fmt::print(out_,
                   "<figure>\n<figcaption id=\"t{0}\">What epoll delivered, and what was done with it <small>last {1}; "
                   "pauses are drawn "
                   "on a logarithmic scale</small></figcaption>\n{2}\n</figure>\n",
                   number, plural(finding.timeline.size(), "event"),
                   lanes_svg(finding.timeline, fmt::format("t{}", number)));
        out_ << "<details>\n<summary>The same as a table</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th "
                "scope=\"col\">time</th>"
                "<th scope=\"col\">thread</th><th scope=\"col\">event</th></tr></thead>\n<tbody>\n";
        for (const TimelineEntry& entry : finding.timeline)
            fmt::print(out_, "<tr><td class=\"t\">{:.6f} s</td><td class=\"t\">{}</td><td>{}</td></tr>\n", entry.t,
                       entry.tid ? std::to_string(entry.tid) : "", html_safe(entry.what));
        out_ << "</tbody>\n</table></div>\n</details>\n";
    }

    void frames(const Finding& finding, const Stack& stack)
    {
        fmt::print(out_, "<h3>{}</h3>\n<ol class=\"frames mono\">\n", html_safe(stack.what));
        const Frame* guilty = guilty_frame(finding);
        for (const Frame& frame : stack.frames) {
            const auto [function, where] = frame_text(frame, directory_);
            fmt::print(out_, "<li{}>{}<span class=\"soft\">{}</span></li>\n",
                       &frame == guilty ? " class=\"guilty\"" : "", xml_escaped(function), xml_escaped(where));
        }
        out_ << "</ol>\n";
        if (!stack.hint.empty())
            fmt::print(out_, "<p>{}</p>\n", html_safe(stack.hint));
    }

    const std::string& directory_;
    std::ostream& out_;
};

}  // namespace

std::string html_safe(std::string_view text) { return xml_escaped(clean(text)); }

std::string html_badge(Level level) { return fmt::format("<span class=\"level {0}\">{0}</span>", level_name(level)); }

// The line where one is known, else the descriptor.
std::string html_place(const Finding& finding, const std::string& directory)
{
    if (const Frame* frame = guilty_frame(finding))
        return frame_text(*frame, directory).second;
    std::string text;
    for (const std::string& part : where_parts(finding))
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

void write_html_finding(const Finding& finding, int number, const std::string& directory, std::ostream& out)
{
    Article(directory, out).write(finding, number);
}

}  // namespace epaudit
