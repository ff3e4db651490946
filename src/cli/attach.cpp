// SPDX-License-Identifier: Apache-2.0
// epaudit attach -p PID: what exists is booked first, then watched.
#include <fmt/format.h>

#include <set>
#include <utility>

#include "src/cli/session.h"
#include "src/cli/traced.h"

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

}  // namespace

Result<int> attach_command(const AttachOptions& given)
{
    const AttachOptions options = with_source_text(given);
    if (options.audit.source == "strace")
        return attach_by_strace(options);
    auto roots = parse_pids(options.pids);
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
