// SPDX-License-Identifier: Apache-2.0
#include "src/audit/auditor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "src/audit/placed.h"
#include "src/evidence/fingerprint.h"
#include "src/support/nearest.h"

namespace epaudit {
namespace {

// What the newer words about a subject lack, and the older had, which they replace.
void complete_from(Finding& newer, Finding& older)
{
    if (newer.stacks.empty())  // captured once, when the rule grew suspicious
        newer.stacks = std::move(older.stacks);
    if (newer.exe.empty())  // the process has ended meanwhile
        newer.exe = older.exe;
    if (newer.comm.empty())
        newer.comm = older.comm;
    if (newer.directory.empty())
        newer.directory = older.directory;
    if (newer.workload == Workload{})
        newer.workload = older.workload;
    if (older.first_at)
        newer.first_at = older.first_at;
    // The last words of a dead registration no longer know where it was.
    if (newer.epoll_fd < 0)
        newer.epoll_fd = older.epoll_fd;
    if (newer.fd.local.empty() && newer.fd.peer.empty()) {
        newer.fd.local = older.fd.local;
        newer.fd.peer = older.fd.peer;
    }
    if (newer.cost.empty())
        newer.cost = older.cost;
}

bool replaces(const Finding& newer, const Finding& older)
{
    return newer.level > older.level || (newer.level == older.level && newer.count >= older.count);
}

void complete_process(Finding& finding, const Snapshot& books)
{
    auto at = books.processes.find(finding.pid);
    if (at == books.processes.end())
        return;
    if (finding.comm.empty())
        finding.comm = at->second.comm;
    if (finding.exe.empty())
        finding.exe = at->second.exe;
    if (finding.directory.empty())
        finding.directory = at->second.directory;
    if (finding.workload == Workload{})
        finding.workload = at->second.workload;
}

}  // namespace

Auditor::Auditor(Profile profile, std::vector<std::unique_ptr<Rule>> rules)
{
    for (auto& rule : rules) {
        Settings settings(rule->info(), profile);
        slots_.push_back({std::move(rule), std::move(settings)});
    }
}

Auditor::Slot* Auditor::find(std::string_view id_or_name)
{
    for (Slot& slot : slots_) {
        if (id_or_name == slot.rule->info().id || id_or_name == slot.rule->info().name)
            return &slot;
    }
    return nullptr;
}

const Settings* Auditor::settings(std::string_view id_or_name) const
{
    const Slot* slot = const_cast<Auditor*>(this)->find(id_or_name);
    return slot ? &slot->settings : nullptr;
}

bool Auditor::is_on(std::string_view id_or_name) const
{
    const Slot* slot = const_cast<Auditor*>(this)->find(id_or_name);
    return slot && slot->on;
}

size_t Auditor::rules_on() const
{
    return static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.on; }));
}

Error Auditor::unknown_rule(std::string_view name) const
{
    std::vector<std::string> known;
    for (const Slot& slot : slots_) {
        known.push_back(slot.rule->info().id);
        known.push_back(slot.rule->info().name);
    }
    return usage_error(fmt::format("unknown rule '{}'", name), did_you_mean(name, known, "`epaudit rules` lists them"));
}

Result<> Auditor::mark(const std::vector<std::string>& names, bool on)
{
    for (const std::string& name : names) {
        bool found = false;
        for (Slot& slot : slots_) {
            if (const RuleInfo& info = slot.rule->info(); !names_rule(info.id, info.name, name))
                continue;
            slot.on = on;
            found = true;
        }
        if (!found)
            return unknown_rule(name);
    }
    return Done{};
}

Result<> Auditor::select(const std::vector<std::string>& names)
{
    for (Slot& slot : slots_)
        slot.on = false;
    return mark(names, true);
}

Result<> Auditor::ignore(const std::vector<std::string>& names) { return mark(names, false); }

Result<> Auditor::set(const std::string& assignment)
{
    size_t equals = assignment.find('=');
    size_t dot = assignment.find('.');
    if (equals == std::string::npos || dot == std::string::npos || dot > equals)
        return usage_error(fmt::format("'{}' is not a setting", assignment),
                           "write RULE.NAME=NUMBER, for example busy-epollout.per_s=100");
    std::string rule = assignment.substr(0, dot);
    std::string name = assignment.substr(dot + 1, equals - dot - 1);
    std::string text = assignment.substr(equals + 1);
    Slot* slot = find(rule);
    if (!slot)
        return unknown_rule(rule);
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0)
        return usage_error(fmt::format("'{}' in '{}' is not a number", text, assignment),
                           "thresholds are numbers, 0 or more, with '.' for the decimal point");
    if (slot->settings.set(name, value, "--set"))
        return Done{};
    std::vector<std::string> known;
    for (const Threshold& t : slot->rule->info().thresholds)
        known.push_back(t.name);
    std::string near = nearest(name, known);
    return usage_error(fmt::format("rule {} has no threshold '{}'", slot->rule->info().name, name),
                       near.empty() ? fmt::format("it has: {}", fmt::join(known, ", "))
                                    : fmt::format("did you mean '{}'? It has: {}", near, fmt::join(known, ", ")));
}

bool Auditor::set(std::string_view rule, const std::string& name, double value, const std::string& origin)
{
    Slot* slot = find(rule);
    return slot && slot->settings.set(name, value, origin);
}

// What was said of this epoll and file by whatever process.
void Auditor::take_back(const Finding& withdrawn)
{
    const Subject first{withdrawn.rule, withdrawn.subject_epoll, withdrawn.subject_file, 0, 0};
    for (auto at = kept_.lower_bound(first); at != kept_.end();) {
        const Finding& said = at->second;
        if (said.rule != withdrawn.rule || said.subject_epoll != withdrawn.subject_epoll ||
            said.subject_file != withdrawn.subject_file)
            return;
        if (said.level == Level::kConfirmed) {
            ++at;
            continue;
        }
        forget_one_of(placeless_fingerprint(said));
        at = kept_.erase(at);
    }
}

void Auditor::keep(Finding&& finding, const Snapshot& books)
{
    if (finding.withdrawn)
        return take_back(finding);
    complete_process(finding, books);
    Subject subject{finding.rule, finding.subject_epoll, finding.subject_file, finding.pid,
                    finding.subject_file ? finding.subject_ino : 0};
    const Slot* slot = find(finding.rule);
    const RuleInfo* info = slot ? &slot->rule->info() : nullptr;
    auto at = kept_.find(subject);
    if (at != kept_.end() && !replaces(finding, at->second)) {
        if (at->second.stacks.empty() && !finding.stacks.empty()) {
            at->second.stacks = std::move(finding.stacks);
            at->second.fingerprint = fingerprint_by(at->second, info);
        }
        return;
    }
    if (finding.level >= gate_ && !finding.first_at)
        finding.first_at = books.time;
    if (at != kept_.end())
        complete_from(finding, at->second);
    finding.fingerprint = fingerprint_by(finding, info);
    const std::string kind = placeless_fingerprint(finding);
    Merged& merged = merged_[kind];
    merged.said_at = books.time;
    if (at == kept_.end() && !has_room(merged, finding.level)) {
        subjects_left_out_ = true;
        return;
    }
    if (at == kept_.end()) {
        merged.subjects += 1;
    } else if (const std::string before = placeless_fingerprint(at->second);
               before != kind) {  // its program is known now
        forget_one_of(before);
        merged.subjects += 1;
    }
    merged.highest = std::max(merged.highest, finding.level);
    if (at == kept_.end())
        kept_.emplace(std::move(subject), std::move(finding));
    else
        at->second = std::move(finding);
    if (merged_.size() > bounds_.kinds)
        forget_kinds(&merged);
}

// One that is worse than all of its kind always has, and so has the first of a kind.
bool Auditor::has_room(const Merged& kind, Level level) const
{
    if (!kind.subjects || level > kind.highest)
        return true;
    return kind.subjects < bounds_.of_kind && kept_.size() < bounds_.subjects;
}

void Auditor::forget_one_of(const std::string& kind)
{
    auto at = merged_.find(kind);
    if (at == merged_.end())
        return;
    at->second.subjects -= at->second.subjects > 0;
    if (!at->second.subjects)
        merged_.erase(at);
}

// A tenth at a time, as all that is kept has to be gone through.
void Auditor::forget_kinds(const Merged* except)
{
    std::vector<std::pair<std::pair<Level, uint64_t>, const std::string*>> order;
    for (const auto& [name, kind] : merged_)
        if (&kind != except)
            order.push_back({{kind.highest, kind.said_at}, &name});
    const size_t many = std::min(order.size(), bounds_.kinds / 10 + 1);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(many), order.end(),
                      [](const auto& a, const auto& b) { return a.first < b.first; });
    std::set<std::string> gone;
    for (size_t i = 0; i < many; i++)
        gone.insert(*order[i].second);
    std::erase_if(kept_, [&](const auto& one) { return gone.count(placeless_fingerprint(one.second)) != 0; });
    for (const std::string& name : gone)
        merged_.erase(name);
    kinds_forgotten_ += gone.size();
}

std::string Auditor::left_out() const
{
    if (kinds_forgotten_)
        return fmt::format(
            "there were more kinds of findings than the {} that are kept: {} that were seen least and "
            "longest ago are not in this report",
            bounds_.kinds, kinds_forgotten_);
    if (subjects_left_out_)
        return fmt::format(
            "there were more descriptors with findings than are kept ({} of one kind, {} in all): the "
            "others are not counted",
            bounds_.of_kind, bounds_.subjects);
    return {};
}

void Auditor::look(const Snapshot& books)
{
    std::vector<Finding> said;
    for (Slot& slot : slots_) {
        if (slot.on)
            slot.rule->audit(books, slot.settings, said);
    }
    for (Finding& finding : said)
        keep(std::move(finding), books);
    if (books.call_sites)
        add_stacks(books);
}

void Auditor::begin_anew(std::vector<std::unique_ptr<Rule>> rules)
{
    for (Slot& slot : slots_) {
        if (slot.rule->outlives_books())
            continue;
        for (auto& rule : rules)
            if (rule && rule->info().id == std::string_view(slot.rule->info().id))
                slot.rule = std::move(rule);
    }
}

std::map<double, std::vector<std::string>> Auditor::impatient(double seconds, const Sight& sight) const
{
    std::map<double, std::vector<std::string>> result;
    for (const Slot& slot : slots_) {
        const double needs = slot.rule->patience(slot.settings);
        if (slot.on && needs > seconds && slot.rule->coverage(sight).status != Status::kUnavailable)
            result[needs].push_back(slot.rule->info().id);
    }
    return result;
}

std::vector<RuleInfo> Auditor::rules() const
{
    std::vector<RuleInfo> result;
    for (const Slot& slot : slots_) {
        if (slot.on)
            result.push_back(slot.rule->info());
    }
    return result;
}

std::vector<RuleCoverage> Auditor::coverage(const Sight& sight) const
{
    std::vector<RuleCoverage> result;
    for (const Slot& slot : slots_) {
        if (slot.on) {
            Coverage coverage = slot.rule->coverage(sight);
            result.push_back({slot.rule->info().id, slot.rule->info().name, coverage.status, coverage.reason});
        }
    }
    return result;
}

}  // namespace epaudit
