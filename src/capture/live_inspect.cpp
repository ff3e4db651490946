// SPDX-License-Identifier: Apache-2.0
#include "src/capture/live_inspect.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "bpf/inspect.h"
#include "src/books/interest_read.h"
#include "src/capture/live_impl.h"
#include "src/capture/live_inspect_impl.h"
#include "src/support/clock.h"
#include "src/workload/workloads.h"

namespace epaudit {

struct LiveInspection::Impl {
    std::unique_ptr<epaudit_bpf, SkeletonDeleter> skeleton;
    Link epolls;
    Link files;
    uint64_t beyond = 0;  // what the kernel could not list so far
    Workloads workloads;
};

namespace {

// Only the iterators, and tables as small as they get: nothing is booked. 0 or -errno.
int load(epaudit_bpf& skeleton, bool typed_loads)
{
    bpf_program* program;
    bpf_object__for_each_program(program, skeleton.obj) bpf_program__set_autoload(
        program, program == skeleton.progs.on_learn || program == skeleton.progs.on_inspect_epolls ||
                     program == skeleton.progs.on_inspect_files);
    for (bpf_map* map :
         {skeleton.maps.file_rows, skeleton.maps.fault_rows, skeleton.maps.registration_rows, skeleton.maps.run_rows,
          skeleton.maps.index_rows, skeleton.maps.epoll_rows, skeleton.maps.thread_rows})
        bpf_map__set_max_entries(map, 1);
    for (bpf_map* ring : {skeleton.maps.stacks, skeleton.maps.buried, skeleton.maps.swept})
        bpf_map__set_max_entries(ring, static_cast<uint32_t>(getpagesize()));
    skeleton.rodata->typed_loads = typed_loads;
    return epaudit_bpf__load(&skeleton);
}

Result<std::unique_ptr<epaudit_bpf, SkeletonDeleter>> load_iterators()
{
    KernelTypes kernel;
    if (!kernel.get())
        return no_types_error();
    int error = 0;
    // As in live.cpp: verifiers differ in what they make of a typed pointer.
    for (bool typed : {kernel.have_cast(), false}) {
        std::unique_ptr<epaudit_bpf, SkeletonDeleter> skeleton(epaudit_bpf__open());
        if (auto ok = skeleton ? choose_numbers(*skeleton) : Result<>(Done{}); !ok)
            return ok.error();
        error = skeleton ? load(*skeleton, typed) : -errno;
        if (!error)
            return skeleton;
    }
    return load_error(-error);
}

uint64_t beyond(const epaudit_bpf& skeleton)
{
    std::array<uint64_t, STAT_SLOTS> stats{};
    read_stats(skeleton.maps.stats, stats);
    return stats[STAT_EPOLLS_FULL] + stats[STAT_CHAIN_BEYOND];
}

template <typename Key>
void clear(const bpf_map* map)
{
    Key key{};
    while (bpf_map_get_next_key(bpf_map__fd(map), nullptr, &key) == 0)
        if (bpf_map_delete_elem(bpf_map__fd(map), &key))
            return;
}

// The scheduler's clock is read off the moment at which it lets us run again.
void give_up_the_cpu()
{
    timespec instant{0, 1};
    nanosleep(&instant, nullptr);
}

}  // namespace

LiveInspection::LiveInspection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LiveInspection::~LiveInspection() = default;

Result<std::unique_ptr<LiveInspection>> LiveInspection::open(bool verbose)
{
    capture_libbpf_messages(verbose);
    if (auto allowed = check_capabilities(); !allowed)
        return allowed.error();
    auto skeleton = load_iterators();
    if (!skeleton)
        return skeleton.error();
    auto impl = std::make_unique<Impl>();
    impl->skeleton = std::move(*skeleton);
    if (auto learned = learn_facts(*impl->skeleton); !learned)
        return learned.error();
    impl->epolls.reset(bpf_program__attach_iter(impl->skeleton->progs.on_inspect_epolls, nullptr));
    impl->files.reset(bpf_program__attach_iter(impl->skeleton->progs.on_inspect_files, nullptr));
    if (!impl->epolls || !impl->files)
        return observe_error(fmt::format("cannot attach the iterators: {}", strerror(errno)), last_libbpf_message());
    return std::unique_ptr<LiveInspection>(new LiveInspection(std::move(impl)));
}

Result<InterestLook> LiveInspection::walk(const std::vector<uint32_t>& pids)
{
    epaudit_bpf& skeleton = *impl_->skeleton;
    clear<uint32_t>(skeleton.maps.process_rows);
    clear<uint64_t>(skeleton.maps.inspected);
    for (uint32_t pid : pids) {
        process_row row{};
        if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.process_rows), &pid, &row, BPF_ANY))
            return observe_error(fmt::format("cannot look at process {}: {}", pid, strerror(errno)));
    }
    skeleton.bss->facts.processes_changed++;
    give_up_the_cpu();
    std::string epolls, files;
    if (!read_iterator(impl_->epolls.get(), epolls) || !read_iterator(impl_->files.get(), files))
        return observe_error(fmt::format("cannot read the interest lists: {}", strerror(errno)));
    return read_interest(epolls, files, pids);
}

// What came or went between the iterator and /proc is not unreached: only what both miss twice.
Result<> LiveInspection::add_unreached(const std::vector<uint32_t>& pids, InterestLook& look)
{
    Unreached first = unreached(look);
    if (first.empty())
        return Done{};
    auto second = walk(pids);
    if (!second)
        return second.error();
    look = std::move(*second);
    for (auto& [id, targets] : unreached(look)) {
        auto list = std::find_if(look.lists.begin(), look.lists.end(),
                                 [id = id](const InterestList& l) { return l.id == id; });
        for (const ListedTarget& target : targets) {
            if (std::find(first[id].begin(), first[id].end(), target) == first[id].end())
                continue;
            Registration r;
            r.fd = target.fd;
            r.mask = target.mask;
            r.data = target.data;
            r.reached = false;
            r.closed = true;
            list->registrations.push_back(r);
        }
        std::stable_sort(list->registrations.begin(), list->registrations.end(),
                         [](const Registration& a, const Registration& b) { return a.fd < b.fd; });
    }
    return Done{};
}

Result<InterestLook> LiveInspection::look(const std::vector<uint32_t>& pids)
{
    std::vector<uint32_t> alive;
    std::map<uint32_t, ProcessInfo> processes;
    for (uint32_t pid : pids) {
        ProcessInfo info = read_process(pid);
        if (info.state == RunState::kGone)
            continue;
        info.workload = impl_->workloads.of(pid);
        processes[pid] = std::move(info);
        alive.push_back(pid);
    }
    auto look = walk(alive);
    if (!look)
        return look;
    if (auto ok = add_unreached(alive, *look); !ok)
        return ok.error();
    add_details(*look);
    look->processes = std::move(processes);
    look->time = monotonic_ns();
    look->started = time(nullptr);
    uint64_t now_beyond = beyond(*impl_->skeleton);
    look->complete = now_beyond == impl_->beyond;
    if (!look->complete)
        look->notes.push_back(
            fmt::format("INCOMPLETE: there are more than {} epolls, or one file has more than {} "
                        "registrations; the rest is not listed",
                        INSPECT_EPOLLS, INSPECT_ITEMS));
    impl_->beyond = now_beyond;
    return look;
}

}  // namespace epaudit
