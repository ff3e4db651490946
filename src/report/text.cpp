// SPDX-License-Identifier: Apache-2.0
#include "src/report/text.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <ostream>

#include "src/report/words.h"

namespace epaudit {

namespace {

constexpr size_t kLabel = 10;

struct Tally {
    std::array<uint64_t, 4> by_level{};
    uint64_t operator[](Level level) const { return by_level[static_cast<size_t>(level)]; }
};

Tally tally(const std::vector<Finding>& findings)
{
    Tally count;
    for (const Finding& finding : findings)
        ++count.by_level[static_cast<size_t>(finding.level)];
    return count;
}

bool is_shown(const Finding& finding, const Options& options)
{
    return options.risks || finding.level >= Level::kLikely;
}

std::string joined(const std::vector<std::string>& parts)
{
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : ", ") + part;
    return text;
}

// "3 risks, 1 info" of the levels from `highest` down to `lowest`.
std::string levels_text(const Tally& count, Level highest, Level lowest)
{
    static constexpr std::array<std::pair<Level, const char*>, 4> kNames{{{Level::kConfirmed, "confirmed"},
                                                                          {Level::kLikely, "likely"},
                                                                          {Level::kRisk, "risk"},
                                                                          {Level::kInfo, "info"}}};
    std::vector<std::string> parts;
    for (const auto& [level, name] : kNames) {
        if (level > highest || level < lowest || count[level] == 0)
            continue;
        const bool noun = level <= Level::kRisk;
        parts.push_back(noun ? plural(count[level], name)
                             : fmt::format("{} {}", grouped(count[level]), name));
    }
    return joined(parts);
}

// What the findings, or their absence, rest on.
class Footer {
public:
    Footer(const Report& report, std::ostream& out)
        : report_(report),
          seen_(report.observation),
          options_(report.options),
          out_(out),
          width_(std::max<size_t>(options_.width, 40)),
          count_(tally(report.findings))
    {
    }

    void write()
    {
        row("watched", watched());
        row("data", data());
        if (!seen_.hooks_reason.empty())
            row("hooks", fmt::format("{}, because trampolines are refused here: {}", seen_.hooks, seen_.hooks_reason));
        for (const auto& [name, count] : seen_.lost)
            if (count > 0)
                row("lost", loss_text(name, count));
        for (const std::string& note : seen_.notes)
            row("note", note);
        if (const std::string text = child(); !text.empty())
            row("command", text);
        coverage();
        if (const std::string hidden = levels_text(count_, Level::kRisk, Level::kInfo);
            !options_.risks && !hidden.empty())
            row("hidden", hidden + " not shown: --risks");
        row("verdict", verdict(), verdict_colour());
    }

private:
    void row(const char* label, const std::string& text, const char* colour = nullptr)
    {
        std::string head = padded(label, kLabel);
        for (const std::string& line : wrap(text, width_ - kLabel)) {
            if (options_.colour && colour != nullptr)
                fmt::print(out_, "{}{}{}\x1b[0m\n", head, colour, line);
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

    std::string watched() const
    {
        std::string text = command();
        if (!report_.pids.empty())
            text = text.empty() ? pids() : fmt::format("{} ({})", text, pids());
        return fmt::format("{}{}{}: {}, {}", text, text.empty() ? "" : ", ", seconds_text(seen_.seconds),
                           plural(seen_.epolls, "epoll"), plural(seen_.registrations, "registration"));
    }

    std::string data() const
    {
        const bool lost = std::any_of(seen_.lost.begin(), seen_.lost.end(),
                                      [](const auto& l) { return l.second > 0; });
        std::string text = plural(seen_.postings, "posting");
        text += seen_.complete ? (lost ? ", complete but for what follows" : ", nothing lost")
                               : ", INCOMPLETE";
        text += fmt::format("; hooks {}, profile {}", seen_.hooks, seen_.profile);
        if (seen_.tool_cpu_seconds >= 0)
            text += fmt::format("; own CPU {} s", number_text(seen_.tool_cpu_seconds));
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

    // "by 9 of 10 rules" when some could not see: those did not pass.
    std::string by_rules() const
    {
        const auto blind = std::count_if(
            report_.coverage.begin(), report_.coverage.end(),
            [](const auto& rule) { return rule.status == Status::kUnavailable; });
        if (blind == 0)
            return "";
        return fmt::format(" by {} of {} rules", static_cast<long>(report_.coverage.size()) - blind,
                           report_.coverage.size());
    }

    std::string verdict() const
    {
        const bool harm = has_harm();
        const std::string shown = levels_text(count_, Level::kConfirmed,
                                              options_.risks ? Level::kInfo : Level::kLikely);
        if (harm) {
            const auto number = std::count_if(report_.findings.begin(), report_.findings.end(),
                                              [&](const Finding& f) { return is_shown(f, options_); });
            return fmt::format("{}: {}{}", plural(static_cast<uint64_t>(number), "finding"), shown,
                               seen_.complete ? "" : "; there may be more, the data is incomplete");
        }
        const std::string also = shown.empty() ? "" : "; " + shown + " above";
        const std::string length = seconds_text(seen_.seconds);
        if (!seen_.complete)
            return fmt::format(
                "clean cannot be claimed: nothing found{} in {}, but the data is incomplete"
                " (see {}){}",
                by_rules(), length, why_incomplete(), also);
        if (seen_.epolls == 0)
            return fmt::format("nothing to audit: no epoll instance was seen in {}{}", length, also);
        return fmt::format("no epoll misuse found{} in {}, {}, {} of {}{}", by_rules(), length,
                           plural(seen_.postings, "posting"), plural(seen_.registrations, "registration"),
                           plural(seen_.epolls, "epoll"), also);
    }

    const char* why_incomplete() const
    {
        for (const auto& [name, count] : seen_.lost)
            if (count > 0)
                return "\"lost\"";
        return seen_.notes.empty() ? "\"data\"" : "\"note\"";
    }

    bool has_harm() const { return count_[Level::kConfirmed] + count_[Level::kLikely] > 0; }

    const char* verdict_colour() const
    {
        if (has_harm())
            return "\x1b[1;31m";
        return seen_.complete && seen_.epolls > 0 ? "\x1b[1;32m" : "\x1b[1;33m";
    }

    static constexpr size_t kCommandMax = 60;
    static constexpr size_t kPidsMax = 8;

    const Report& report_;
    const Observation& seen_;
    const Options& options_;
    std::ostream& out_;
    size_t width_;
    Tally count_;
};

}  // namespace

void write_text(const Report& report, std::ostream& out)
{
    std::vector<const Finding*> shown;
    for (const Finding& finding : report.findings)
        if (is_shown(finding, report.options))
            shown.push_back(&finding);
    std::stable_sort(shown.begin(), shown.end(),
                     [](const auto* a, const auto* b) { return a->level > b->level; });
    for (const Finding* finding : shown) {
        write_finding(*finding, report.options, out);
        out << "\n\n";
    }
    Footer(report, out).write();
}

}  // namespace epaudit
