// SPDX-License-Identifier: Apache-2.0
#include "src/audit/kept.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "src/audit/placed.h"
#include "src/evidence/fingerprint.h"

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

// What was said of this epoll and file by whatever process.
void KeptFindings::take_back(const Finding& withdrawn)
{
    const Subject first{withdrawn.rule, withdrawn.subject_epoll, withdrawn.subject_file, 0, 0};
    for (auto at = subjects_.lower_bound(first); at != subjects_.end();) {
        const Finding& said = at->second;
        if (said.rule != withdrawn.rule || said.subject_epoll != withdrawn.subject_epoll ||
            said.subject_file != withdrawn.subject_file)
            return;
        if (said.level == Level::kConfirmed && withdrawn.level != Level::kConfirmed) {
            ++at;
            continue;
        }
        forget_one_of(placeless_fingerprint(said));
        at = subjects_.erase(at);
    }
}

void KeptFindings::keep(Finding&& finding, const RuleInfo* info, const Snapshot& books)
{
    if (finding.withdrawn)
        return take_back(finding);
    complete_process(finding, books);
    Subject subject{finding.rule, finding.subject_epoll, finding.subject_file, finding.pid,
                    finding.subject_file ? finding.subject_ino : 0};
    auto at = subjects_.find(subject);
    if (at != subjects_.end() && !replaces(finding, at->second)) {
        if (at->second.stacks.empty() && !finding.stacks.empty()) {
            at->second.stacks = std::move(finding.stacks);
            at->second.fingerprint = fingerprint_by(at->second, info);
        }
        return;
    }
    if (finding.level >= gate_ && !finding.first_at)
        finding.first_at = books.time;
    if (at != subjects_.end())
        complete_from(finding, at->second);
    finding.fingerprint = fingerprint_by(finding, info);
    const std::string kind = placeless_fingerprint(finding);
    Kind& merged = kinds_[kind];
    merged.said_at = books.time;
    if (at == subjects_.end() && !has_room(merged, finding.level)) {
        left_out_ = true;
        return;
    }
    if (at == subjects_.end()) {
        merged.subjects += 1;
    } else if (const std::string before = placeless_fingerprint(at->second);
               before != kind) {  // its program is known now
        forget_one_of(before);
        merged.subjects += 1;
    }
    merged.highest = std::max(merged.highest, finding.level);
    if (at == subjects_.end())
        subjects_.emplace(std::move(subject), std::move(finding));
    else
        at->second = std::move(finding);
    if (kinds_.size() > bounds_.kinds)
        forget_kinds(&merged);
}

// One that is worse than all of its kind always has, and so has the first of a kind.
bool KeptFindings::has_room(const Kind& kind, Level level) const
{
    if (!kind.subjects || level > kind.highest)
        return true;
    return kind.subjects < bounds_.of_kind && subjects_.size() < bounds_.subjects;
}

void KeptFindings::forget_one_of(const std::string& kind)
{
    auto at = kinds_.find(kind);
    if (at == kinds_.end())
        return;
    at->second.subjects -= at->second.subjects > 0;
    if (!at->second.subjects)
        kinds_.erase(at);
}

// A tenth at a time, as all that is kept has to be gone through.
void KeptFindings::forget_kinds(const Kind* except)
{
    std::vector<std::pair<std::pair<Level, uint64_t>, const std::string*>> order;
    for (const auto& [name, kind] : kinds_)
        if (&kind != except)
            order.push_back({{kind.highest, kind.said_at}, &name});
    const size_t many = std::min(order.size(), bounds_.kinds / 10 + 1);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(many), order.end(),
                      [](const auto& a, const auto& b) { return a.first < b.first; });
    std::set<std::string> gone;
    for (size_t i = 0; i < many; i++)
        gone.insert(*order[i].second);
    std::erase_if(subjects_, [&](const auto& one) { return gone.count(placeless_fingerprint(one.second)) != 0; });
    for (const std::string& name : gone)
        kinds_.erase(name);
    forgotten_ += gone.size();
}

std::string KeptFindings::left_out() const
{
    if (forgotten_)
        return fmt::format(
            "there were more kinds of findings than the {} that are kept: {} that were seen least and "
            "longest ago are not in this report",
            bounds_.kinds, forgotten_);
    if (left_out_)
        return fmt::format(
            "there were more descriptors with findings than are kept ({} of one kind, {} in all): the "
            "others are not counted",
            bounds_.of_kind, bounds_.subjects);
    return {};
}

}  // namespace epaudit
