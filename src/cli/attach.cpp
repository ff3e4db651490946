// SPDX-License-Identifier: Apache-2.0
// epaudit attach -p PID: what exists is booked first, then watched.
#include <fmt/format.h>

#include <algorithm>

#include "src/cli/session.h"
#include "src/cli/traced.h"

namespace epaudit {
namespace {

// Watches them all; with `follow` children that are born meanwhile are caught by the fork hook, and those
// born before are found by looking again until nothing new turns up.
Result<std::vector<uint32_t>> watch_all(LiveCapture& live, const std::vector<uint32_t>& roots, bool follow)
{
    std::vector<uint32_t> pids;
    std::vector<uint32_t> fresh = roots;
    while (!fresh.empty()) {
        for (uint32_t pid : fresh) {
            if (auto ok = live.watch(pid, follow); !ok)
                return ok.error();
            pids.push_back(pid);
        }
        fresh.clear();
        if (!follow)
            break;
        for (uint32_t pid : descendants(pids))
            if (std::find(pids.begin(), pids.end(), pid) == pids.end())
                fresh.push_back(pid);
    }
    return pids;
}

}  // namespace

Result<int> attach_command(const AttachOptions& options)
{
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
    auto pids = watch_all(live, roots->pids, options.follow_forks);
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

    // A process that ended before we watched it is never removed by the exit hook: its pidfd tells.
    std::vector<Descriptor> pidfds;
    for (uint32_t pid : roots->pids)
        pidfds.push_back(open_pidfd(pid));
    std::vector<int> gone;
    for (const Descriptor& fd : pidfds)
        if (fd)
            gone.push_back(fd.get());
    auto over = [&] {
        return std::all_of(roots->pids.begin(), roots->pids.end(), [&](uint32_t pid) { return !is_running(pid); }) &&
               (!options.follow_forks || live.watched().empty());
    };
    auto end = (*session)->observe(gone, over);
    if (!end)
        return end.error();
    if (auto ok = (*session)->finish(); !ok)
        return ok.error();
    return (*session)->report({}, *pids, std::nullopt);
}

}  // namespace epaudit
