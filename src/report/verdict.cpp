// SPDX-License-Identifier: Apache-2.0
#include "src/report/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "src/books/duration.h"
#include "src/report/losses.h"
#include "src/report/words.h"
#include "src/support/result.h"

namespace epaudit {
namespace {

bool is_harm(const Finding& finding) { return finding.level >= Level::kLikely; }

std::vector<const Finding*> shown_of(const Report& report, const std::vector<Finding>& findings)
{
    std::vector<const Finding*> shown;
    for (const Finding& finding : findings)
        if (is_shown(report, finding))
            shown.push_back(&finding);
    std::stable_sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) { return a->level > b->level; });
    return shown;
}

std::vector<InconclusiveReason> reasons_of(const Report& report)
{
    std::vector<InconclusiveReason> reasons = report.observation.inconclusive;
    for (const auto& [name, count] : report.observation.lost)
        if (count > 0)
            reasons.push_back({Inconclusive::kLost, loss_text(name, count), loss_remedy(name)});
    for (const Finding& finding : report.findings)
        if (finding.inconclusive)
            reasons.push_back(*finding.inconclusive);
    return reasons;
}

size_t blind_rules(const Report& report)
{
    return static_cast<size_t>(std::count_if(report.coverage.begin(), report.coverage.end(),
                                             [](const auto& rule) { return rule.status == Status::kUnavailable; }));
}

// "by 9 of 10 rules" when some could not see, or were off: those did not pass.
std::string by_rules(const Report& report)
{
    const size_t all = report.coverage.size() + report.rules_off.size();
    const size_t looked = report.coverage.size() - blind_rules(report);
    return looked == all ? "" : fmt::format(" by {} of {} rules", looked, all);
}

std::string in_words(const std::vector<InconclusiveReason>& reasons)
{
    std::string text = reasons.front().words();
    if (reasons.size() > 1)
        text += fmt::format("; and {}", plural(reasons.size() - 1, "more reason"));
    return text;
}

// Somebody was there, and could not be watched: that no epoll was seen says nothing.
bool left_somebody_out(const Report& report)
{
    const auto& lost = report.observation.lost;
    return std::any_of(lost.begin(), lost.end(), [](const auto& loss) {
        return loss.second && (loss.first == "processes_of_32_bits" || loss.first == "processes_full");
    });
}

// Whether there was anything to judge, and anybody to do it.
State state_before_findings(const Report& report)
{
    if (report.none_judged || report.coverage.empty())
        return State::kUsage;
    if ((report.observation.epolls == 0 && !left_somebody_out(report)) || blind_rules(report) == report.coverage.size())
        return State::kNotObserved;
    return State::kClean;
}

// What the command had to say, which its status can no longer pass on.
std::string child_text(const Report& report)
{
    const Child child = report.child.value_or(Child{});
    if (child.signal)
        return fmt::format(" (the command was killed by signal {})", child.signal);
    return child.exit_status ? fmt::format(" (the command exited with status {})", child.exit_status) : "";
}

void say_nothing_looked(const Report& report, Verdict& verdict)
{
    if (report.coverage.empty()) {
        verdict.text = "no rule is on: nothing was judged";
        const std::string by = report.rules_off.empty() ? "" : report.rules_off.front().by;
        verdict.remedy = fmt::format("let --select, --ignore and the configuration leave at least one{}",
                                     by.empty() ? "" : fmt::format(" (turned off by {})", by));
    } else if (report.none_judged) {
        std::string who;
        for (const std::string& one : report.unjudged)
            who += (who.empty() ? "" : ", ") + one;
        verdict.text = fmt::format("no process was judged: the configuration leaves out {}",
                                   who.empty() ? "all of them" : who);
        verdict.remedy = "change its [[process]] entries, or give --no-config";
    } else if (report.observation.epolls == 0) {
        verdict.text = fmt::format("nothing to audit: no epoll instance was seen in {}{}",
                                   seconds_text(report.observation.seconds), child_text(report));
        verdict.remedy = report.command.empty() ? "is it the right process? `ls -l /proc/PID/fd | grep eventpoll`; "
                                                  "servers that fork want --follow-forks"
                                                : "is it the right program, and did it get far enough?";
    } else {
        verdict.text = fmt::format("nothing was judged: none of {} can look at this",
                                   plural(report.coverage.size(), "rule"));
        verdict.remedy = report.coverage.front().reason;
    }
}

// "5.9 s of 30.0 s": a budget lets the probes be attached for a part of the time only.
std::string watched_text(const Observation& seen)
{
    const std::string all = seconds_text(seen.seconds);
    const double share = seen.budget ? seen.budget->attached_share : 1;
    return share < 1 ? fmt::format("{} of {}", seconds_text(seen.seconds * share), all) : all;
}

std::string findings_text(const Report& report, const Verdict& verdict)
{
    std::string text = fmt::format("{}: {}", plural(verdict.shown.size(), "finding"), levels_text(verdict.shown));
    if (!verdict.failed)
        text += report.gate ? fmt::format("; below --fail-on {}", level_name(*report.gate)) : "; --fail-on never";
    return text;
}

std::string clean_text(const Report& report, const Verdict& verdict)
{
    const Observation& seen = report.observation;
    std::string text = fmt::format("no epoll misuse found{} in {}, {}, {} of {}", by_rules(report), watched_text(seen),
                                   plural(seen.postings, "event"), plural(seen.registrations, "registration"),
                                   plural(seen.epolls, "epoll"));
    if (!verdict.shown.empty())
        text += fmt::format("; {} above", levels_text(verdict.shown));
    return text;
}

std::string inconclusive_text(const Report& report, const Verdict& verdict, bool harm)
{
    std::string found = harm ? findings_text(report, verdict)
                             : fmt::format("nothing found{} in {}", by_rules(report), watched_text(report.observation));
    if (!harm && !verdict.shown.empty())
        found += fmt::format(" but {}", levels_text(verdict.shown));
    return fmt::format("inconclusive: {}, but {}", found, in_words(verdict.reasons));
}

// Findings, then what is not known, then the command's own status, then 0.
int exit_of(const Report& report, const Verdict& verdict)
{
    switch (verdict.state) {
    case State::kUsage: return static_cast<int>(Exit::kUsage);
    case State::kNotObserved: return static_cast<int>(Exit::kCannotObserve);
    case State::kInconclusive: return static_cast<int>(Exit::kIncomplete);
    case State::kFindings:
    case State::kClean: break;
    }
    if (verdict.failed)
        return static_cast<int>(Exit::kFindings);
    if (!report.child)
        return static_cast<int>(Exit::kClean);
    return report.child->signal ? 128 + report.child->signal : report.child->exit_status;
}

}  // namespace

const char* state_name(State state)
{
    switch (state) {
    case State::kClean: return "clean";
    case State::kFindings: return "findings";
    case State::kInconclusive: return "inconclusive";
    case State::kNotObserved: return "not-observed";
    case State::kUsage: return "usage";
    }
    return "?";
}

bool at_gate(const Report& report, const Finding& finding) { return report.gate && finding.level >= *report.gate; }

bool is_shown(const Report& report, const Finding& finding)
{
    return report.options.risks || is_harm(finding) || at_gate(report, finding);
}

std::string levels_text(const std::vector<const Finding*>& findings)
{
    static constexpr std::array<std::pair<Level, const char*>, 4> kNames{
        {{Level::kConfirmed, "confirmed"}, {Level::kLikely, "likely"}, {Level::kRisk, "risk"}, {Level::kInfo, "info"}}};
    std::string text;
    for (const auto& [level, name] : kNames) {
        const auto number = static_cast<size_t>(std::count_if(
            findings.begin(), findings.end(), [&, l = level](const Finding* one) { return one->level == l; }));
        if (number == 0)
            continue;
        text += text.empty() ? "" : ", ";
        text += level == Level::kRisk ? plural(number, name) : fmt::format("{} {}", grouped(number), name);
    }
    return text;
}

std::string log_coverage_text(const Report& report)
{
    size_t less = 0;
    for (const RuleCoverage& rule : report.coverage)
        less += rule.status == Status::kDegraded;
    const size_t blind = blind_rules(report);
    return fmt::format("{} need{} more than this log holds, {} see{} less than in a live kernel: --coverage",
                       plural(blind, "rule"), blind == 1 ? "s" : "", less, less == 1 ? "s" : "");
}

std::string hidden_text(const Report& report)
{
    std::vector<const Finding*> hidden;
    for (const Finding& finding : report.findings)
        if (!is_shown(report, finding))
            hidden.push_back(&finding);
    return levels_text(hidden);
}

std::string rules_off_text(const Report& report)
{
    std::map<std::string, std::string> by;
    for (const RuleOff& off : report.rules_off) {
        std::string& list = by[off.by];
        list += (list.empty() ? "" : ", ") + off.rule;
    }
    std::string text;
    for (const auto& [what, list] : by)
        text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", list, what);
    return text;
}

Verdict verdict_of(const Report& report)
{
    Verdict verdict;
    verdict.shown = shown_of(report, report.findings);
    verdict.known = shown_of(report, report.suppressed);
    verdict.reasons = reasons_of(report);
    verdict.state = state_before_findings(report);
    const bool harm = std::any_of(verdict.shown.begin(), verdict.shown.end(),
                                  [](const auto* f) { return is_harm(*f); });
    verdict.failed = std::any_of(verdict.shown.begin(), verdict.shown.end(),
                                 [&](const Finding* finding) { return at_gate(report, *finding); });
    if (verdict.failed)
        verdict.state = State::kFindings;
    else if (verdict.state == State::kClean && !verdict.reasons.empty())
        verdict.state = State::kInconclusive;
    else if (verdict.state == State::kClean && harm)
        verdict.state = State::kFindings;

    switch (verdict.state) {
    case State::kClean: verdict.text = clean_text(report, verdict); break;
    case State::kInconclusive: verdict.text = inconclusive_text(report, verdict, harm); break;
    case State::kFindings:
        verdict.text = findings_text(report, verdict);
        if (!verdict.reasons.empty())
            verdict.text += "; there may be more: " + verdict.reasons.front().text;
        break;
    case State::kNotObserved:
    case State::kUsage: say_nothing_looked(report, verdict); break;
    }
    if (!verdict.known.empty())
        verdict.text += fmt::format("; {} not counted", plural(verdict.known.size(), "known finding"));
    verdict.exit = exit_of(report, verdict);
    // Who asked for a recording must learn that there is none, whatever was found.
    if (std::any_of(verdict.reasons.begin(), verdict.reasons.end(),
                    [](const InconclusiveReason& reason) { return reason.why == Inconclusive::kNotRecorded; }))
        verdict.exit = static_cast<int>(Exit::kUsage);
    return verdict;
}

}  // namespace epaudit
