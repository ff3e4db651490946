// SPDX-License-Identifier: Apache-2.0
// Who is watched: processes by their numbers, which are reused, and what is known of them.
#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "src/capture/live_impl.h"
#include "src/support/clock.h"
#include "src/support/proc.h"

namespace epaudit {
namespace {

void changed(LiveCapture::Impl& impl)
{
    __atomic_fetch_add(&impl.skeleton->bss->facts.processes_changed, 1, __ATOMIC_RELEASE);
}

// Before its row is there, and again, by -1, once that is gone: bpf/tables.h.
void count_in_crowd(LiveCapture::Impl& impl, uint32_t pid, int by)
{
    uint32_t& slot = impl.skeleton->bss->crowd[pid % std::size(impl.skeleton->bss->crowd)];
    __atomic_fetch_add(&slot, static_cast<uint32_t>(by), __ATOMIC_SEQ_CST);
}

void take_out(LiveCapture::Impl& impl, uint32_t pid)
{
    if (!bpf_map_delete_elem(bpf_map__fd(impl.skeleton->maps.process_rows), &pid))
        count_in_crowd(impl, pid, -1);
}

// Named like the first that the kernel meets (bpf/abi.h).
void count_32bit(LiveCapture::Impl& impl, uint32_t pid)
{
    probe_facts& facts = impl.skeleton->bss->facts;
    impl.programs_32bit++;
    if (facts.tgid_32bit)
        return;
    facts.tgid_32bit = pid;
    const std::string comm = read_comm(pid);
    memcpy(facts.comm_32bit, comm.data(), std::min(comm.size(), sizeof(facts.comm_32bit) - 1));
}

void learn(LiveCapture::Impl& impl, uint32_t pid)
{
    const auto stat = read_proc_stat(pid);
    impl.started[pid] = stat ? stat->started_ticks : 0;
    impl.processes[pid] = read_process(pid);
    impl.processes[pid].workload = impl.workloads.of(pid);
}

// Precise, unlike the ticks of /proc/PID/stat; 0 where the kernel does not tell, or when there are so many
// threads that asking would cost too much.
uint64_t cpu_of_threads(uint32_t pid)
{
    constexpr size_t kThreads = 64;
    std::vector<uint32_t> tids = numbers_in(fmt::format("/proc/{}/task", pid));
    uint64_t sum = 0;
    for (uint32_t tid : tids) {
        uint64_t ran = 0;
        if (tids.size() > kThreads || !(std::ifstream(fmt::format("/proc/{}/task/{}/schedstat", pid, tid)) >> ran))
            return 0;
        sum += ran;
    }
    return sum;
}

// As the fork hook knows it of those that come later: clone(CLONE_FILES) without CLONE_THREAD.
void note_table(process_row& row, uint32_t pid)
{
    const auto stat = read_proc_stat(pid);
    if (!stat || !stat->parent || syscall(SYS_kcmp, pid, stat->parent, KCMP_FILES, 0, 0) != 0)
        return;
    row.flags |= PROCESS_SHARES;
    row.parent = stat->parent;
}

}  // namespace

ProcessInfo read_process(uint32_t pid)
{
    ProcessInfo info;
    info.pid = pid;
    info.comm = read_comm(pid);
    const auto stat = read_proc_stat(pid);
    std::error_code ignored;
    const uint32_t number = stat && stat->first_thread_ended() ? living_thread(pid) : pid;
    info.exe = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", number), ignored).string();
    info.directory = std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", number), ignored).string();
    if (!stat || !stat->running())
        info.state = RunState::kGone;
    else
        info.state = stat->state == 'T' || stat->state == 't' ? RunState::kStopped : RunState::kAlive;
    info.cpu_ns = cpu_of_threads(pid);
    if (!info.cpu_ns && stat)
        info.cpu_ns = (stat->user_ticks + stat->system_ticks) *
                      (NSEC_PER_SEC / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
    return info;
}

// Its row counts (PROCESS_NEW goes) once it is known to have lived after the row was made: then the number was its own,
// and its end takes the row away. Should that come first, there is no row to be changed.
Result<bool> LiveCapture::watch(const ProcessHandle& process, bool follow)
{
    Impl& impl = *impl_;
    const uint32_t pid = process.pid();
    const int map = bpf_map__fd(impl.skeleton->maps.process_rows);
    process_row row{};
    row.seen_at = monotonic_ns();
    row.flags = PROCESS_NEW | (follow ? PROCESS_FOLLOW : 0) | (is_32bit_program(pid) ? PROCESS_32BIT : 0);
    note_table(row, pid);
    count_in_crowd(impl, pid, 1);
    const bool known = bpf_map_update_elem(map, &pid, &row, BPF_NOEXIST) != 0;
    const int error = errno;
    if (known)
        count_in_crowd(impl, pid, -1);
    if (known && error == E2BIG) {
        impl.processes_full++;
        return false;
    }
    if (known && error != EEXIST)  // that is a child, which the fork hook has met
        return observe_error(fmt::format("cannot watch process {}: {}", pid, strerror(error)));
    if (process.ended()) {
        if (!known)
            take_out(impl, pid);
        return false;
    }
    row.flags &= ~static_cast<uint32_t>(PROCESS_NEW);
    if (!known && bpf_map_update_elem(map, &pid, &row, BPF_EXIST))
        return false;
    changed(impl);
    if (!known && (row.flags & PROCESS_32BIT))
        count_32bit(impl, pid);
    if (!known) {
        auto handle = ProcessHandle::open(pid, process.started_ticks());
        if (!handle)
            return false;
        handle->let_go();
        impl.asked_for.push_back({std::move(*handle), row.seen_at});
    }
    learn(impl, pid);
    if (impl.stacks)
        impl.stacks->expect(pid);
    begin_python_search(impl, pid, 0);
    search_pythons();
    return true;
}

void LiveCapture::learn_process(uint32_t pid)
{
    learn(*impl_, pid);
    if (impl_->stacks)
        impl_->stacks->learn_process(pid);
    begin_python_search(*impl_, pid, 0);
}

uint32_t LiveCapture::changes_of(uint32_t pid) const
{
    const auto& changes = impl_->skeleton->bss->program_changes;
    return __atomic_load_n(&changes[pid % std::size(changes)], __ATOMIC_ACQUIRE);
}

void LiveCapture::unwatch(uint32_t pid)
{
    take_out(*impl_, pid);
    changed(*impl_);
}

void forget_ended(LiveCapture::Impl& impl)
{
    const int map = bpf_map__fd(impl.skeleton->maps.process_rows);
    std::erase_if(impl.asked_for, [&](const Explicit& one) {
        const uint32_t pid = one.process.pid();
        process_row row{};
        if (bpf_map_lookup_elem(map, &pid, &row) || row.seen_at != one.seen_at)
            return true;
        if (!one.process.ended())
            return false;
        take_out(impl, pid);
        changed(impl);
        return true;
    });
}

std::vector<uint32_t> LiveCapture::watched()
{
    forget_ended(*impl_);
    const std::set<uint32_t> pids = keys_of<uint32_t>(impl_->skeleton->maps.process_rows);
    return {pids.begin(), pids.end()};
}

namespace {

// Those that rows of this look name.
std::set<uint32_t> spoken_of(const Snapshot& books)
{
    std::set<uint32_t> pids;
    for (const auto& [id, row] : books.epolls)
        pids.insert({row.tgid, row.foreign_tgid, row.foreign_owner, row.leaked_tgid});
    for (const auto& [tid, row] : books.threads)
        pids.insert(row.tgid);
    uint32_t newest = 0;  // of thousands of rows most name the process that the one before did
    for (const auto* entries : {&books.entries, &books.buried})
        for (const Entry& entry : *entries)
            if (entry.file.tgid != newest)
                pids.insert(newest = entry.file.tgid);
    pids.erase(0);
    return pids;
}

// Whoever is not watched any more has ended, and his number may be another's.
void learn_of_rows(LiveCapture::Impl& impl, uint32_t pid)
{
    process_row row{};
    if (!bpf_map_lookup_elem(bpf_map__fd(impl.skeleton->maps.process_rows), &pid, &row))
        return learn(impl, pid);
    ProcessInfo& info = impl.processes[pid];
    info.pid = pid;
    info.state = RunState::kGone;
}

// What has ended is asked for only if the number is watched again.
void refresh(LiveCapture::Impl& impl, uint32_t pid, ProcessInfo& info)
{
    process_row row{};
    uint64_t& started = impl.started[pid];
    const bool watched = !bpf_map_lookup_elem(bpf_map__fd(impl.skeleton->maps.process_rows), &pid, &row);
    if (info.state == RunState::kGone && !watched)
        return;
    const auto stat = read_proc_stat(pid);
    const bool another = stat && started && stat->started_ticks != started;
    if (!stat || !stat->running() || (another && !watched)) {
        info.state = RunState::kGone;
        return;
    }
    ProcessInfo now = read_process(pid);  // anew each time: exec changes comm and exe
    if (now.exe.empty() && !another)      // exit_mm() takes it away while the state still says running
        now.exe = std::move(info.exe);
    if (!another && info.directory.size() > 1)  // a daemon goes to / when it has been started
        now.directory = std::move(info.directory);
    const bool same = !another && now.exe == info.exe && now.comm == info.comm;
    now.workload = same ? std::move(info.workload)
                        : impl.workloads.of(pid);  // a service is put into its unit before exec
    started = stat->started_ticks;
    info = std::move(now);
}

}  // namespace

void refresh_processes(LiveCapture::Impl& impl, const Snapshot& books)
{
    forget_ended(impl);
    const std::set<uint32_t> named = spoken_of(books);
    for (uint32_t pid : named)
        if (!impl.processes.count(pid))
            learn_of_rows(impl, pid);
    std::erase_if(impl.processes, [&](const auto& known) {
        return known.second.state == RunState::kGone && !named.count(known.first);
    });
    std::erase_if(impl.started, [&](const auto& known) { return !impl.processes.count(known.first); });
    for (auto& [pid, info] : impl.processes)
        refresh(impl, pid, info);
}

}  // namespace epaudit
