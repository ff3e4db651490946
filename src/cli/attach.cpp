// SPDX-License-Identifier: Apache-2.0
// epaudit attach: what exists is booked first, then watched. Processes by number until they end; a selection (who.h) outlives
// those that match it.
#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

#include "src/cli/traced.h"
#include "src/cli/who.h"
#include "src/session/selected.h"
#include "src/session/session.h"
#include "src/support/apart.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

// Watches them all; with `follow` children that are born meanwhile are caught by the fork hook, and those
// born before are found by looking again until nothing new turns up.
Result<std::vector<uint32_t>> watch_all(LiveCapture& live, const std::vector<ProcessHandle>& roots, bool follow)
{
    std::vector<uint32_t> pids;
    for (const ProcessHandle& root : roots) {
        auto watched = live.watch(root, follow);
        if (!watched)
            return watched.error();
        if (*watched)
            pids.push_back(root.pid());
    }
    std::set<std::pair<uint32_t, uint64_t>> seen;
    for (bool more = follow; more;) {
        more = false;
        for (const Descendant& one : descendants(pids)) {
            if (!seen.emplace(one.pid, one.started_ticks).second)
                continue;
            more = true;
            auto process = ProcessHandle::open(one.pid, one.started_ticks);
            auto watched = process ? live.watch(*process, true) : Result<bool>(false);
            if (!watched)
                return watched.error();
            if (*watched)
                pids.push_back(one.pid);
        }
    }
    return pids;
}

// What runs here has nothing to do with whoever attaches: its source is shown only when asked for.
AttachOptions with_source_text(AttachOptions options)
{
    options.audit.source_text = options.audit.source_text_given.value_or(false) ? SourceText::From::kProcess
                                                                                : SourceText::From::kNowhere;
    return options;
}

// strace takes those that are there now.
Result<int> attach_selection_by_strace(AttachOptions options)
{
    auto found = find_who(options.who);
    if (!found)
        return found.error();
    std::vector<std::string> pids;
    for (const uint32_t pid : with_epolls(found->processes))
        pids.push_back(std::to_string(pid));
    if (pids.empty())
        return observe_error("no process that was selected has an epoll", "epaudit list shows who uses epoll");
    options.who = {};
    options.who.pids = std::move(pids);
    return attach_by_strace(options);
}

Result<int> attach_selection(const AttachOptions& options)
{
    start_broker();  // before a process, or what a container says of itself, is looked at
    std::vector<std::string> notes;
    auto found = find_who(options.who, [&](const std::vector<std::string>& said) { notes = said; });
    if (!found)
        return found.error();
    ProcessScan& scan = *found->scan;
    auto session = Session::open(options.audit, options.audit.profile.value_or(Profile::kProduction));
    if (!session)
        return session.error();
    (*session)->set_selection(scan.selection().text());
    Selected selected((*session)->live(), scan);
    if (auto ok = selected.begin(found->processes); !ok)
        return ok.error();
    for (std::string& text : notes)
        (*session)->note(std::move(text));
    if (auto ok = (*session)->begin({}, selected.pids()); !ok)
        return ok.error();

    std::optional<Error> trouble;
    auto over = [&] {
        auto newcomers = selected.look();
        if (!newcomers)
            trouble = newcomers.error();
        else if (!options.audit.quiet)
            for (const std::string& one : *newcomers)
                say("epaudit: {} is watched, too\n", one);
        return trouble || selected.over();
    };
    auto end = (*session)->observe({}, over);
    if (!end || trouble)
        return end ? *trouble : end.error();
    for (std::string& text : selected.notes())
        (*session)->note(std::move(text));
    if (auto ok = (*session)->finish(); !ok)
        return ok.error();
    return (*session)->report({}, selected.pids(), std::nullopt);
}

}  // namespace

Result<int> attach_command(const AttachOptions& given)
{
    const AttachOptions options = with_source_text(given);
    const bool by_number = options.who.only_pids();
    if (options.audit.source == "strace" && options.audit.budget)
        return usage_error("strace keeps no budget: it stops the processes at each call",
                           "leave out --budget, or --source");
    if (options.audit.source == "strace")
        return by_number ? attach_by_strace(options) : attach_selection_by_strace(options);
    if (!by_number)
        return attach_selection(options);
    auto roots = parse_pids(options.who.pid_list());
    if (!roots)
        return roots.error();
    std::vector<ProcessInfo> only;
    for (uint32_t pid : roots->pids)
        if (!options.follow_forks)
            only.push_back(program_of(pid));
    auto session = Session::open(options.audit, options.audit.profile.value_or(Profile::kProduction), only);
    if (!session)
        return session.error();
    LiveCapture& live = (*session)->live();
    auto pids = watch_all(live, roots->processes, options.follow_forks);
    if (!pids)
        return pids.error();
    auto notes = live.seed(*pids);
    if (!notes)
        return notes.error();
    for (std::string& text : roots->notes)
        (*session)->note(std::move(text));
    for (std::string& text : *notes)
        (*session)->note(std::move(text));
    if (auto ok = (*session)->begin({}, *pids); !ok)
        return ok.error();

    std::vector<int> gone;
    for (const ProcessHandle& root : roots->processes)
        if (root.pidfd() >= 0)
            gone.push_back(root.pidfd());
    auto over = [&] { return have_ended(roots->processes) && (!options.follow_forks || live.watched().empty()); };
    auto end = (*session)->observe(gone, over);
    if (!end)
        return end.error();
    if (auto ok = (*session)->finish(); !ok)
        return ok.error();
    return (*session)->report({}, *pids, std::nullopt);
}

}  // namespace epaudit
