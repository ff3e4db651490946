// SPDX-License-Identifier: Apache-2.0
#include "src/audit/policy.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <ctime>

#include "src/evidence/fingerprint.h"
#include "src/evidence/place.h"
#include "src/support/utf8.h"

namespace epaudit {
namespace {

// Also as reports show it: whoever copies a name from there has U+FFFD where it has bytes that are no text.
bool matches(const std::string& pattern, const std::string& text)
{
    return pattern.empty() || fnmatch(pattern.c_str(), text.c_str(), 0) == 0 ||
           fnmatch(pattern.c_str(), as_text(text).c_str(), 0) == 0;
}

bool matches_exe(const std::string& pattern, const Finding& finding)
{
    if (pattern.find('/') == std::string::npos)
        return matches(pattern, program_name(finding));
    return matches(pattern, finding.exe);
}

bool matches_workload(const std::string& unit, const std::string& container, const std::string& pod,
                      const Workload& workload)
{
    auto is_in = [](const std::string& pattern, const std::string& name) {
        return pattern.empty() || (!name.empty() && matches(pattern, name));
    };
    return is_in(unit, workload.unit) && is_in(pod, workload.pod) &&
           (container.empty() || (workload.in_container() && (matches(container, workload.container.name) ||
                                                              matches(container, workload.container.id))));
}

bool matches_process(const ProcessMatch& process, const Finding& finding)
{
    return matches_exe(process.exe, finding) && matches(process.comm, finding.comm) &&
           matches_workload(process.unit, process.container, process.pod, finding.workload);
}

bool has_function(const Finding& finding, const std::string& pattern)
{
    if (pattern.empty())
        return true;
    for (const Stack& stack : finding.stacks)
        for (const Frame& frame : stack.frames)
            if (matches(pattern, frame.function))
                return true;
    return false;
}

bool covers(const SuppressEntry& entry, const Finding& finding)
{
    return names_rule(finding.rule, finding.name, entry.rule) && matches_exe(entry.exe, finding) &&
           matches(entry.comm, finding.comm) && matches(entry.kind, finding.fd.kind) &&
           matches(entry.local, finding.fd.local) && matches(entry.peer, finding.fd.peer) &&
           has_function(finding, entry.function) &&
           matches_workload(entry.unit, entry.container, entry.pod, finding.workload) &&
           (entry.fingerprint.empty() || entry.fingerprint == finding.fingerprint);
}

}  // namespace

std::string today() { return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr))); }

Policy::Policy(Config config, std::optional<Baseline> baseline, const std::string& today)
    : config_(std::move(config)), baseline_(std::move(baseline))
{
    for (const SuppressEntry& entry : config_.suppressions)
        known_.push_back({entry, !entry.expires.empty() && entry.expires < today, false});
}

bool Policy::is_dropped(const Finding& finding)
{
    for (const ProcessMatch& process : config_.processes) {
        if (!matches_process(process, finding))
            continue;
        const bool ignored = std::any_of(process.ignore.begin(), process.ignore.end(), [&](const std::string& rule) {
            return names_rule(finding.rule, finding.name, rule);
        });
        if (process.audit && !ignored)
            continue;
        effects_.emplace(process.where, fmt::format("a finding of {} {} in {} is left out", finding.rule, finding.name,
                                                    finding.comm.empty() ? program_name(finding) : finding.comm));
        return true;
    }
    return false;
}

void Policy::lower(Finding& finding)
{
    auto cap = [&](const std::map<std::string, Level>& levels, const std::string& where) {
        auto at = levels.find(finding.rule);
        if (at == levels.end() || at->second >= finding.level)
            return;
        effects_.emplace(where, fmt::format("{} {} lowered from {} to {}", finding.rule, finding.name,
                                            level_name(finding.level), level_name(at->second)));
        finding.level = at->second;
    };
    auto at = config_.where.find("levels");
    cap(config_.levels, at == config_.where.end() ? config_.file : at->second);
    for (const ProcessMatch& process : config_.processes)
        if (matches_process(process, finding))
            cap(process.levels, process.where);
}

std::optional<Suppression> Policy::suppression_of(const Finding& finding)
{
    std::optional<Suppression> found;
    for (Known& known : known_) {
        if (!covers(known.entry, finding))
            continue;
        known.matched = true;
        if (!known.expired && !found)
            found = Suppression{"suppression", known.entry.reason, known.entry.where};
    }
    if (baseline_ && baseline_->covers(finding) && !found)
        found = Suppression{"baseline", "", baseline_->file()};
    return found;
}

Judged Policy::judge(std::vector<Finding> found)
{
    Judged judged;
    effects_.clear();
    for (Finding& finding : found) {
        if (is_dropped(finding))
            continue;
        lower(finding);
        finding.suppression = suppression_of(finding);
        (finding.suppression ? judged.suppressed : judged.findings).push_back(std::move(finding));
    }
    return judged;
}

std::string Policy::left_out_by(const ProcessInfo& program, const std::vector<RuleInfo>& on) const
{
    Finding any;
    any.exe = program.exe;
    any.comm = program.comm;
    any.workload = program.workload;
    for (const ProcessMatch& process : config_.processes) {
        if (!matches_process(process, any))
            continue;
        const bool no_rule = std::all_of(on.begin(), on.end(), [&](const RuleInfo& info) {
            return std::any_of(process.ignore.begin(), process.ignore.end(),
                               [&](const std::string& rule) { return names_rule(info.id, info.name, rule); });
        });
        if (!process.audit || no_rule)
            return process.where;
    }
    return {};
}

std::vector<PolicyRemark> Policy::remarks(const std::vector<RuleCoverage>& coverage) const
{
    auto looked = [&](const std::string& rule) {
        return std::any_of(coverage.begin(), coverage.end(), [&](const RuleCoverage& one) {
            return names_rule(one.rule, one.name, rule) && one.status != Status::kUnavailable;
        });
    };
    std::vector<PolicyRemark> remarks;
    for (const Known& known : known_) {
        const SuppressEntry& entry = known.entry;
        if (known.expired)
            remarks.push_back({"expired suppression", entry.where,
                               fmt::format("the suppression of {} expired on {}{}", entry.rule, entry.expires,
                                           known.matched ? "" : ", and matched nothing")});
        else if (!known.matched && looked(entry.rule))
            remarks.push_back(
                {"unused suppression", entry.where, fmt::format("the suppression of {} matched nothing", entry.rule)});
    }
    for (const auto& [where, text] : effects_)
        remarks.push_back({"changed finding", where, text});
    if (!baseline_)
        return remarks;
    for (const BaselineEntry& entry : baseline_->entries())
        if (!entry.matched && looked(entry.rule))
            remarks.push_back({"stale baseline entry", baseline_->file(),
                               fmt::format("{} {} of {} ({}) is no longer seen (fixed, or not exercised in this run)",
                                           entry.rule, entry.name, entry.program, entry.fingerprint)});
    return remarks;
}

}  // namespace epaudit
