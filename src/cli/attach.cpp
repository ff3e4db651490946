// SPDX-License-Identifier: Apache-2.0
// epaudit attach -p PID: what exists is booked first, then watched.
#include <fmt/format.h>

#include <algorithm>

#include "src/cli/session.h"

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
    auto roots = parse_pids(options.pids);
    if (!roots)
        return roots.error();
    auto session = Session::open(options.audit, options.audit.profile.value_or(Profile::kProduction));
    if (!session)
        return session.error();
    LiveCapture& live = (*session)->live();
    auto pids = watch_all(live, *roots, options.follow_forks);
    if (!pids)
        return pids.error();
    auto notes = live.seed(*pids);
    if (!notes)
        return notes.error();
    for (std::string& text : *notes)
        (*session)->note(std::move(text));
    if (auto ok = (*session)->begin({}, *pids); !ok)
        return ok.error();

    // A process that ended before we watched it is never removed by the exit hook: its pidfd tells.
    std::vector<Descriptor> pidfds;
    for (uint32_t pid : *roots)
        pidfds.push_back(open_pidfd(pid));
    std::vector<int> gone;
    for (const Descriptor& fd : pidfds)
        if (fd)
            gone.push_back(fd.get());
    auto over = [&] {
        return std::all_of(roots->begin(), roots->end(), [&](uint32_t pid) { return !is_running(pid); }) &&
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
