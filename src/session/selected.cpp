// SPDX-License-Identifier: Apache-2.0
#include "src/session/selected.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <time.h>

#include <algorithm>

#include "bpf/types.h"
#include "src/report/words.h"
#include "src/support/clock.h"
#include "src/support/process.h"

namespace epaudit {
namespace {

// A newcomer is watched within a second. Where a look costs much (thousands of processes), it may take 2 % of a core.
constexpr uint64_t kPauseNs = 400 * NSEC_PER_MSEC;
constexpr uint64_t kRestFactor = 50;
constexpr uint64_t kLongestNs = 10 * NSEC_PER_SEC;
constexpr size_t kMostNotes = 20;
constexpr size_t kMostNames = 5;

uint64_t own_cpu_ns()
{
    timespec spent{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<uint64_t>(spent.tv_sec) * NSEC_PER_SEC + static_cast<uint64_t>(spent.tv_nsec);
}

std::string listed(const std::vector<std::string>& names)
{
    const std::vector<std::string> first(names.begin(),
                                         names.begin() + static_cast<ptrdiff_t>(std::min(names.size(), kMostNames)));
    return fmt::format("{}{}", fmt::join(first, ", "),
                       names.size() > kMostNames ? fmt::format(" and {} more", names.size() - kMostNames) : "");
}

}  // namespace

// Where everybody is meant, children are found like anybody else once they use epoll, and cost nothing before.
Selected::Selected(LiveCapture& live, ProcessScan& scan) : live_(live), scan_(scan), follow_(!scan.selection().all)
{
    scan_.told_by([&live](uint32_t pid) { return live.changes_of(pid); });
}

void Selected::keep(const std::vector<std::string>& notes)
{
    for (const std::string& note : notes)
        if (notes_.size() < kMostNotes)
            notes_.push_back(note);
}

Result<> Selected::begin(const std::vector<SelectedProcess>& found)
{
    found_ = found.size();
    for (const SelectedProcess& one : found) {
        auto process = one.use.epolls ? ProcessHandle::open(one.process->pid, one.process->started) : std::nullopt;
        auto watched = process ? live_.watch(*process, follow_) : Result<bool>(false);
        if (!watched)
            return watched.error();
        if (*watched && known_.insert(one.process->pid).second)
            pids_.push_back(one.process->pid);
    }
    auto notes = live_.seed(pids_);
    if (!notes)
        return notes.error();
    keep(*notes);
    return Done{};
}

Result<std::vector<std::string>> Selected::take(const std::vector<SelectedProcess>& found,
                                                const std::set<uint32_t>& watched)
{
    std::vector<ProcessHandle> processes;
    std::map<uint32_t, std::string> names;
    idle_.clear();
    unreadable_.clear();
    for (const SelectedProcess& one : found) {
        const SeenProcess& seen = *one.process;
        if (watched.count(seen.pid))
            continue;
        const std::string name = fmt::format("{} (pid {})", clean(seen.comm), seen.pid);
        if (!one.use.epolls) {
            (one.use.readable ? idle_ : unreadable_).push_back(name);
            continue;
        }
        if (auto process = ProcessHandle::open(seen.pid, seen.started)) {
            processes.push_back(std::move(*process));
            names[seen.pid] = name;
        }
    }
    std::vector<std::string> told;
    if (processes.empty())
        return told;
    auto newcomers = live_.watch_late(processes, follow_);
    if (!newcomers)
        return newcomers.error();
    keep(newcomers->notes);
    for (uint32_t pid : newcomers->pids) {
        told.push_back(names[pid]);
        if (known_.insert(pid).second)
            pids_.push_back(pid);
    }
    return told;
}

Result<std::vector<std::string>> Selected::look()
{
    const uint64_t now = monotonic_ns();
    if (now < next_at_)
        return std::vector<std::string>();
    const uint64_t spent = own_cpu_ns();
    const std::vector<uint32_t> pids = live_.watched();
    std::set<uint32_t> watched(pids.begin(), pids.end());
    const std::vector<SelectedProcess> found = scan_.look(now, watched);
    found_ = found.size();
    for (uint32_t pid : pids)  // the fork hook knows nothing of exceptions
        if (scan_.excluded(pid))
            live_.unwatch(pid);
    auto told = take(found, watched);
    next_at_ = now + std::clamp(kRestFactor * (own_cpu_ns() - spent), kPauseNs, kLongestNs);
    return told;
}

std::vector<std::string> Selected::notes() const
{
    std::vector<std::string> notes = notes_;
    if (!idle_.empty())
        notes.push_back(fmt::format("selected, and not watched because {} no epoll: {}",
                                    idle_.size() == 1 ? "it has" : "they have", listed(idle_)));
    if (!unreadable_.empty())
        notes.push_back(
            fmt::format("selected, and not watched because {} descriptors may not be looked at (CAP_SYS_PTRACE): {}",
                        unreadable_.size() == 1 ? "its" : "their", listed(unreadable_)));
    return notes;
}

}  // namespace epaudit
