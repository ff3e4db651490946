// SPDX-License-Identifier: Apache-2.0
// One page that holds everything: no scripts, no network, light and dark as the reader's system is set.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ostream>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/evidence/place.h"
#include "src/finding/explain.h"
#include "src/report/formats.h"
#include "src/report/html_charts.h"
#include "src/report/html_style.h"
#include "src/report/markup.h"
#include "src/report/verdict.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

std::string safe(std::string_view text) { return xml_escaped(clean(text)); }

class Page {
public:
    Page(const Report& report, std::ostream& out)
        : report_(report),
          verdict_(verdict_of(report)),
          seen_(report.observation),
          directory_(report.options.directory),
          out_(out)
    {
    }

    void write()
    {
        head();
        out_ << "<main>\n";
        summary();
        int number = 0;
        for (const Finding* finding : verdict_.shown)
            write_finding(*finding, ++number);
        loops();
        known();
        coverage();
        data();
        out_ << "</main>\n";
        fmt::print(out_, "<footer><p>epaudit {}</p></footer>\n</body>\n</html>\n", safe(report_.version));
    }

private:
    std::string target() const
    {
        std::string text;
        for (const std::string& word : report_.command)
            text += (text.empty() ? "" : " ") + word;
        for (const uint32_t pid : report_.pids)
            text += fmt::format("{}pid {}", text.empty() ? "" : ", ", pid);
        return text;
    }

    const char* verdict_class() const
    {
        if (verdict_.state == State::kFindings)
            return "bad";
        return verdict_.state == State::kClean ? "good" : "unsure";
    }

    void head()
    {
        fmt::print(
            out_,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "img-src data:\">\n<link rel=\"icon\" href=\"data:,\">\n<title>epaudit: {}</title>\n<style>{}</style>\n"
            "</head>\n<body>\n",
            safe(verdict_.words()), kHtmlStyle);
        fmt::print(out_, "<header>\n<h1>epoll audit</h1>\n<p class=\"soft mono\">{}</p>\n", safe(target()));
        fmt::print(out_, "<p class=\"verdict {}\">{}</p>\n</header>\n", verdict_class(), safe(verdict_.words()));
    }

    void card(const std::string& number, const char* what)
    {
        fmt::print(out_, "<li><b>{}</b><span>{}</span></li>\n", safe(number), what);
    }

    void summary()
    {
        out_ << "<ul class=\"cards\">\n";
        const size_t found = verdict_.shown.size();
        card(grouped(found), found == 1 ? "finding" : "findings");
        card(seconds_text(seen_.seconds), "observed");
        card(grouped(seen_.postings), "postings");
        card(grouped(seen_.epolls), seen_.epolls == 1 ? "epoll instance" : "epoll instances");
        card(grouped(seen_.registrations), seen_.registrations == 1 ? "registration" : "registrations");
        card(seen_.complete() ? "complete" : "incomplete", "data");
        out_ << "</ul>\n";
        const auto& shown = verdict_.shown;
        if (shown.empty())
            return;
        out_ << "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">finding</th><th "
                "scope=\"col\">where</th></tr></thead>\n<tbody>\n";
        int number = 0;
        for (const Finding* finding : shown)
            fmt::print(out_, "<tr><td>{}<a href=\"#f{}\">{} {}</a></td><td>{}</td></tr>\n", badge(finding->level),
                       ++number, safe(finding->rule), safe(finding->name), safe(place(*finding)));
        out_ << "</tbody>\n</table></div>\n";
    }

    static std::string badge(Level level)
    {
        return fmt::format("<span class=\"level {0}\">{0}</span>", level_name(level));
    }

    // The line where one is known, else the descriptor.
    std::string place(const Finding& finding) const
    {
        if (const Frame* frame = guilty_frame(finding))
            return frame_text(*frame, directory_).second;
        std::string text;
        for (const std::string& part : where_parts(finding))
            text += (text.empty() ? "" : ", ") + part;
        return text;
    }

    void write_finding(const Finding& finding, int number)
    {
        fmt::print(out_,
                   "<article class=\"card\" id=\"f{0}\" aria-labelledby=\"h{0}\">\n<h2 id=\"h{0}\">{1}{2} "
                   "{3}</h2>\n<p>{4}</p>\n",
                   number, badge(finding.level), safe(finding.rule), safe(finding.name), safe(finding.summary));
        out_ << "<ul class=\"where mono\">\n";
        for (const std::string& part : where_parts(finding))
            fmt::print(out_, "<li>{}</li>\n", safe(part));
        out_ << "</ul>\n<dl>\n";
        for (const auto& [name, value] : numbers_of(finding))
            fmt::print(out_, "<dt>{}</dt><dd>{}</dd>\n", safe(name), safe(value));
        out_ << "</dl>\n";
        if (!finding.fix.empty())
            fmt::print(out_, "<p class=\"fix\"><b>Fix:</b> {}</p>\n", safe(finding.fix));
        source(finding);
        timeline(finding, number);
        for (const Stack& stack : finding.stacks)
            frames(finding, stack);
        if (const char* page = explain_text(finding.name))
            fmt::print(out_,
                       "<details>\n<summary>What {} means, and when it stays quiet</summary>\n<pre "
                       "class=\"page\">{}</pre>\n</details>\n",
                       safe(finding.rule), xml_escaped(page));
        fmt::print(out_, "<p class=\"soft\">fingerprint <code>{}</code></p>\n</article>\n", safe(finding.fingerprint));
    }

    void source(const Finding& finding)
    {
        if (!finding.source)
            return;
        const SourceExcerpt& excerpt = *finding.source;
        fmt::print(
            out_,
            "<h3 class=\"mono\">{}:{}</h3>\n<div class=\"source\" tabindex=\"0\" role=\"group\" aria-label=\"source\">",
            safe(shown_path(excerpt.file, directory_)), excerpt.line);
        int number = excerpt.first;
        for (const std::string& line : excerpt.lines) {
            fmt::print(out_, "<code{}><i>{}</i>{}</code>", number == excerpt.line ? " class=\"guilty\"" : "", number,
                       safe(untabbed(line)));
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
                       entry.tid ? std::to_string(entry.tid) : "", safe(entry.what));
        out_ << "</tbody>\n</table></div>\n</details>\n";
    }

    void frames(const Finding& finding, const Stack& stack)
    {
        fmt::print(out_, "<h3>{}</h3>\n<ol class=\"frames mono\">\n", safe(stack.what));
        const Frame* guilty = guilty_frame(finding);
        for (const Frame& frame : stack.frames) {
            const auto [function, where] = frame_text(frame, directory_);
            fmt::print(out_, "<li{}>{}<span class=\"soft\">{}</span></li>\n",
                       &frame == guilty ? " class=\"guilty\"" : "", xml_escaped(function), xml_escaped(where));
        }
        out_ << "</ol>\n";
        if (!stack.hint.empty())
            fmt::print(out_, "<p>{}</p>\n", safe(stack.hint));
    }

    void loops()
    {
        const History& history = report_.history;
        if (history.loops.empty() && history.samples.empty())
            return;
        out_ << "<section class=\"card\" aria-labelledby=\"loops\">\n<h2 id=\"loops\">The loops</h2>\n";
        if (const std::string rates = rates_svg(history.samples, "rates"); !rates.empty())
            fmt::print(out_,
                       "<figure>\n<figcaption id=\"rates\">Returns of epoll_wait <small>all loops "
                       "together</small></figcaption>\n{}\n"
                       "<ul class=\"legend\"><li><svg width=\"26\" height=\"4\" aria-hidden=\"true\"><line "
                       "class=\"line returns\" x2=\"26\" y1=\"2\" y2=\"2\"/></svg>"
                       "with events</li><li><svg width=\"26\" height=\"4\" aria-hidden=\"true\"><line class=\"line "
                       "futile\" x2=\"26\" y1=\"2\" y2=\"2\"/></svg>"
                       "of these without work: nothing had progressed</li></ul>\n</figure>\n",
                       rates);
        int number = 0;
        for (const LoopStats& loop : history.loops)
            write_loop(loop, ++number);
        out_ << "</section>\n";
    }

    void write_loop(const LoopStats& loop, int number)
    {
        const epoll_row& row = loop.row;
        fmt::print(out_,
                   "<h3>{}[{}], epoll fd {}</h3>\n<p class=\"soft\">{}, {} with events ({} without work), {} timed "
                   "out, {}</p>\n",
                   safe(loop.comm.empty() ? "?" : loop.comm), known_pid(loop.pid), loop.fd, plural(row.waits, "wait"),
                   grouped(row.returns), grouped(row.futile_returns), grouped(row.timeouts),
                   plural(row.events, "event"));
        const std::string charts =
            histogram_svg(row.latency, EPOLL_BUCKETS, "µs", fmt::format("l{}a", number), "From ready to delivered") +
            histogram_svg(row.handling, EPOLL_BUCKETS, "µs", fmt::format("l{}b", number),
                          "From a return to the next wait") +
            histogram_svg(row.batch, EPOLL_BUCKETS, "events", fmt::format("l{}c", number), "Events per return");
        if (!charts.empty())
            fmt::print(out_, "<div class=\"charts\">{}</div>\n", charts);
    }

    void known()
    {
        if (verdict_.known.empty())
            return;
        out_ << "<section class=\"card\" aria-labelledby=\"known\">\n<h2 id=\"known\">Known</h2>\n<div "
                "class=\"scroll\"><table>\n<thead><tr>"
                "<th scope=\"col\">finding</th><th scope=\"col\">known from</th><th "
                "scope=\"col\">reason</th></tr></thead>\n<tbody>\n";
        for (const Finding* finding : verdict_.known)
            if (const auto& why = finding->suppression)
                fmt::print(out_, "<tr><td>{}{} {}</td><td>{}</td><td>{}</td></tr>\n", badge(finding->level),
                           safe(finding->rule), safe(finding->name), safe(why->where), safe(why->reason));
        out_ << "</tbody>\n</table></div>\n</section>\n";
    }

    void coverage()
    {
        if (report_.coverage.empty())
            return;
        if (seen_.hooks == "strace" && !report_.options.coverage) {
            fmt::print(out_,
                       "<section class=\"card\" aria-labelledby=\"rules\">\n<h2 id=\"rules\">Rules that "
                       "looked</h2>\n<p>{}</p>\n</section>\n",
                       safe(log_coverage_text(report_)));
            return;
        }
        out_ << "<section class=\"card\" aria-labelledby=\"rules\">\n<h2 id=\"rules\">Rules evaluated</h2>\n<div "
                "class=\"scroll\"><table>\n<thead><tr>"
                "<th scope=\"col\">rule</th><th scope=\"col\">could see</th><th "
                "scope=\"col\">found</th></tr></thead>\n<tbody>\n";
        for (const RuleCoverage& rule : report_.coverage) {
            size_t found = 0;
            for (const Finding* finding : verdict_.shown)
                found += finding->rule == rule.rule;
            const std::string seen = rule.status == Status::kAvailable ? "full" : status_name(rule.status);
            const std::string result = found                                 ? plural(found, "finding")
                                       : rule.status == Status::kUnavailable ? "cannot say"
                                                                             : "nothing";
            fmt::print(out_, "<tr><td>{} {}</td><td>{}{}</td><td>{}</td></tr>\n", safe(rule.rule), safe(rule.name),
                       seen, rule.reason.empty() ? "" : ": " + safe(rule.reason), result);
        }
        out_ << "</tbody>\n</table></div>\n</section>\n";
    }

    void data()
    {
        out_ << "<section class=\"card\" aria-labelledby=\"data\">\n<h2 id=\"data\">Evidence and limits</h2>\n<dl>\n";
        auto row = [&](const char* name, const std::string& value) {
            if (!value.empty())
                fmt::print(out_, "<dt>{}</dt><dd>{}</dd>\n", name, safe(value));
        };
        row("hooks", seen_.hooks);
        row("why these", seen_.hooks_reason);
        row("profile", seen_.profile);
        row("began", report_.started ? iso_time(report_.started) : "");
        row("cost", seen_.cost ? cost_text(*seen_.cost) : "");
        row("budget", seen_.budget ? budget_text(*seen_.budget) : "");
        row("own CPU", seen_.tool_cpu_seconds >= 0 ? number_text(seen_.tool_cpu_seconds) + " s" : "");
        row("data", seen_.complete() ? "complete" : "incomplete: a clean result cannot be claimed");
        for (const InconclusiveReason& reason : verdict_.reasons)
            row(reason.why == Inconclusive::kLost ? "lost" : "inconclusive", reason.words());
        for (const std::string& note : seen_.notes)
            row("note", note);
        row("configuration", report_.config);
        row("rules that are off", rules_off_text(report_));
        for (const std::string& program : report_.unjudged)
            row("not judged", program);
        row("not shown", hidden_text(report_));
        for (const PolicyRemark& remark : report_.remarks)
            row("policy", remark.where + ": " + remark.text);
        out_ << "</dl>\n</section>\n";
    }

    const Report& report_;
    const Verdict verdict_;
    const Observation& seen_;
    const std::string& directory_;
    std::ostream& out_;
};

}  // namespace

void write_html(const Report& report, std::ostream& out) { Page(report, out).write(); }

}  // namespace epaudit
