// SPDX-License-Identifier: Apache-2.0
// One page that holds everything: no scripts, no network, light and dark as the reader's system is set.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <ostream>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/report/formats.h"
#include "src/report/html_charts.h"
#include "src/report/html_finding.h"
#include "src/report/html_style.h"
#include "src/report/markup.h"
#include "src/report/verdict.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

class HtmlPage {
public:
    HtmlPage(const Report& report, std::ostream& out)
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
            write_html_finding(*finding, ++number, directory_, out_);
        loops();
        known();
        coverage();
        data();
        out_ << "</main>\n";
        fmt::print(out_, "<footer><p>epaudit {}</p></footer>\n</body>\n</html>\n", html_safe(report_.version));
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
            html_safe(verdict_.words()), kHtmlStyle);
        fmt::print(out_, "<header>\n<h1>epoll audit</h1>\n<p class=\"soft mono\">{}</p>\n", html_safe(target()));
        fmt::print(out_, "<p class=\"verdict {}\">{}</p>\n</header>\n", verdict_class(), html_safe(verdict_.words()));
    }

    void card(const std::string& number, const char* what)
    {
        fmt::print(out_, "<li><b>{}</b><span>{}</span></li>\n", html_safe(number), what);
    }

    void summary()
    {
        out_ << "<ul class=\"cards\">\n";
        const size_t found = verdict_.shown.size();
        card(grouped(found), found == 1 ? "finding" : "findings");
        card(seconds_text(seen_.seconds), "observed");
        card(grouped(seen_.postings), "events");
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
            fmt::print(out_, "<tr><td>{}<a href=\"#f{}\">{} {}</a></td><td>{}</td></tr>\n", html_badge(finding->level),
                       ++number, html_safe(finding->rule), html_safe(finding->name),
                       html_safe(html_place(*finding, directory_)));
        out_ << "</tbody>\n</table></div>\n";
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
                   html_safe(loop.comm.empty() ? "?" : loop.comm), known_pid(loop.pid), loop.fd,
                   plural(row.waits, "wait"), grouped(row.returns), grouped(row.futile_returns), grouped(row.timeouts),
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
                fmt::print(out_, "<tr><td>{}{} {}</td><td>{}</td><td>{}</td></tr>\n", html_badge(finding->level),
                           html_safe(finding->rule), html_safe(finding->name), html_safe(why->where),
                           html_safe(why->reason));
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
                       html_safe(log_coverage_text(report_)));
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
            fmt::print(out_, "<tr><td>{} {}</td><td>{}{}</td><td>{}</td></tr>\n", html_safe(rule.rule),
                       html_safe(rule.name), seen, rule.reason.empty() ? "" : ": " + html_safe(rule.reason), result);
        }
        out_ << "</tbody>\n</table></div>\n</section>\n";
    }

    void data()
    {
        out_ << "<section class=\"card\" aria-labelledby=\"data\">\n<h2 id=\"data\">Evidence and limits</h2>\n<dl>\n";
        auto row = [&](const char* name, const std::string& value) {
            if (!value.empty())
                fmt::print(out_, "<dt>{}</dt><dd>{}</dd>\n", name, html_safe(value));
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

void write_html(const Report& report, std::ostream& out) { HtmlPage(report, out).write(); }

}  // namespace epaudit
