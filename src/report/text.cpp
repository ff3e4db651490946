// SPDX-License-Identifier: Apache-2.0
#include "src/report/text.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <ostream>

#include "src/books/duration.h"
#include "src/report/verdict.h"
#include "src/report/words.h"
#include "src/support/terminal.h"

namespace epaudit {

namespace {

constexpr size_t kLabel = 10;
constexpr uint64_t kRequestsMin = 100;  // from which an average means something

std::string joined(const std::vector<std::string>& parts)
{
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

// What the findings, or their absence, rest on.
class Footer {
public:
    Footer(const Report& report, const Verdict& verdict, std::ostream& out)
        : report_(report),
          verdict_(verdict),
          seen_(report.observation),
          options_(report.options),
          out_(out),
          width_(std::max<size_t>(options_.width, 40))
    {
    }

    void write()
    {
        if (of_log())  // the answer first
            row("verdict", verdict_.words(), verdict_colour());
        row("watched", watched());
        row("data", data());
        if (seen_.cost)
            row("cost", cost_text(*seen_.cost));
        if (seen_.budget)
            row("budget", budget_text(*seen_.budget));
        if (const std::string text = work(); !text.empty())
            row("work", text);
        for (const InconclusiveReason& reason : verdict_.reasons)
            row(reason.why == Inconclusive::kLost ? "lost" : "unsure", reason.words());
        for (const std::string& note : seen_.notes)
            row("note", note);
        if (const std::string text = child(); !text.empty())
            row("command", text);
        coverage();
        if (!report_.config.empty())
            row("config", report_.config);
        if (const std::string off = rules_off_text(report_); !off.empty())
            row("off", off);
        for (const std::string& program : report_.unjudged)
            row("left out", program);
        if (const std::string hidden = hidden_text(report_); !hidden.empty())
            row("hidden", hidden + " not shown: --risks");
        for (const PolicyRemark& remark : report_.remarks)
            row("policy", fmt::format("{}: {}", remark.where, remark.text));
        known();
        if (!of_log())
            row("verdict", verdict_.words(), verdict_colour());
    }

private:
    bool of_log() const { return seen_.hooks == "strace"; }

    void row(const char* label, const std::string& text, const char* colour = nullptr)
    {
        std::string head = padded(label, kLabel);
        for (const std::string& line : wrap(text, width_ - kLabel)) {
            if (options_.colour && colour != nullptr)
                fmt::print(out_, "{}{}{}{}\n", head, colour, line, ansi::kReset);
            else
                fmt::print(out_, "{}{}\n", head, line);
            head = std::string(kLabel, ' ');
        }
    }

    std::string command() const
    {
        std::string text;
        for (const std::string& word : report_.command) {
            const bool plain = !word.empty() && word.find_first_of(" \t\n\"'\\") == std::string::npos;
            text += (text.empty() ? "" : " ") + (plain ? word : "'" + word + "'");
        }
        text = clean(text);
        if (columns(text) <= kCommandMax)
            return text;
        text = wrap(text, kCommandMax - 4).front();
        return text + " ...";
    }

    std::string pids() const
    {
        const auto& all = report_.pids;
        std::vector<std::string> shown;
        for (size_t i = 0; i < std::min(all.size(), kPidsMax); ++i)
            shown.push_back(std::to_string(all[i]));
        std::string text = fmt::format("pid{} {}", all.size() == 1 ? "" : "s", joined(shown));
        if (all.size() > kPidsMax)
            text += fmt::format(" and {} more", all.size() - kPidsMax);
        return text;
    }

    // What a loop costs: a level-triggered echo server takes three calls for a request that comes alone.
    std::string work() const
    {
        const Work& work = seen_.work;
        if (work.requests < kRequestsMin)
            return {};
        return fmt::format(
            "{} requests (reads that got bytes), {:.2f} system calls each: epoll_wait {:.2f}, reads and writes "
            "{:.2f}, epoll_ctl {:.2f}",
            grouped(work.requests), work.per_request(work.waits + work.io + work.ctls), work.per_request(work.waits),
            work.per_request(work.io), work.per_request(work.ctls));
    }

    std::string watched() const
    {
        std::string text = report_.selection.empty() ? command() : clean(report_.selection);
        if (!report_.pids.empty())
            text = text.empty() ? pids() : fmt::format("{} ({})", text, pids());
        return fmt::format("{}{}{}: {}, {}", text, text.empty() ? "" : ", ", seconds_text(seen_.seconds),
                           plural(seen_.epolls, "epoll"), plural(seen_.registrations, "registration"));
    }

    std::string data() const
    {
        std::string text = plural(seen_.postings, "event");
        text += seen_.complete() ? ", none lost" : ", INCOMPLETE";
        text += fmt::format("; probes {}, profile {}", seen_.hooks, seen_.profile);
        if (seen_.tool_cpu_seconds >= 0 && !seen_.cost)
            text += fmt::format("; epaudit's CPU {} s", number_text(seen_.tool_cpu_seconds));
        return text;
    }

    // Empty when there is nothing to tell: it ended well.
    std::string child() const
    {
        const Child child = report_.child.value_or(Child{});
        if (!child.ran)
            return "could not be started";
        if (child.signal == 0)
            return child.exit_status == 0 ? "" : fmt::format("exited with status {}", child.exit_status);
        const char* name = sigabbrev_np(child.signal);
        return fmt::format("killed by signal {}{}", child.signal, name ? fmt::format(" (SIG{})", name) : "");
    }

    // Rules that could not look, or not fully; those with the same reason together.
    void coverage()
    {
        if (of_log() && !options_.coverage) {
            row("rules", log_coverage_text(report_));
            return;
        }
        std::map<std::pair<Status, std::string>, std::vector<std::string>> groups;
        for (const RuleCoverage& rule : report_.coverage)
            if (rule.status != Status::kAvailable)
                groups[{rule.status, rule.reason}].push_back(rule.rule + " " + rule.name);
        for (const auto& [key, rules] : groups) {
            const auto& [status, reason] = key;
            row(status == Status::kDegraded ? "degraded" : "not seen",
                joined(rules) + (reason.empty() ? "" : ": " + reason));
        }
    }

    // Findings that are known, by what knows them.
    void known()
    {
        std::map<std::string, std::vector<std::string>> by;
        for (const Finding* finding : verdict_.known)
            if (const auto& why = finding->suppression)
                by[fmt::format("{} ({})", why->where, why->reason.empty() ? why->by : why->reason)].push_back(
                    finding->rule + " " + finding->name);
        for (const auto& [where, names] : by)
            row("known", fmt::format("{} by {}: {}", plural(names.size(), "finding"), where, joined(names)));
    }

    const char* verdict_colour() const
    {
        if (verdict_.state == State::kFindings)
            return ansi::kBoldRed;
        return verdict_.state == State::kClean ? ansi::kBoldGreen : ansi::kBoldYellow;
    }

    static constexpr size_t kCommandMax = 60;
    static constexpr size_t kPidsMax = 8;

    const Report& report_;
    const Verdict& verdict_;
    const Observation& seen_;
    const Options& options_;
    std::ostream& out_;
    size_t width_;
};

}  // namespace

void write_text(const Report& report, std::ostream& out)
{
    const Verdict verdict = verdict_of(report);
    for (const Finding* finding : verdict.shown) {
        write_finding(*finding, report.options, out);
        out << "\n\n";
    }
    Footer(report, verdict, out).write();
}

}  // namespace epaudit
