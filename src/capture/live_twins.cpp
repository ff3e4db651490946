// SPDX-License-Identifier: Apache-2.0
// Where a hook needs two programs or three (bpf/twins.h), and what was missed all the same.
#include "src/capture/live_twins.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "bpf/twins.h"
#include "src/capture/live_impl.h"
#include "src/capture/live_preempt.h"

namespace epaudit {
namespace {

constexpr std::string_view kTwin = "_twin", kThird = "_third";

bool ends_with(std::string_view name, std::string_view end)
{
    return name.size() > end.size() && name.substr(name.size() - end.size()) == end;
}

const bpf_program* first_of(const epaudit_bpf& skeleton, const bpf_program* twin)
{
    const std::string_view name = bpf_program__name(twin);
    return bpf_object__find_program_by_name(skeleton.obj, std::string(name.substr(0, name.rfind('_'))).c_str());
}

}  // namespace

bool is_twin(const bpf_program* program)
{
    const std::string_view name = bpf_program__name(program);
    return ends_with(name, kTwin) || ends_with(name, kThird);
}

// What event loops, and programs that start, call all the time. Each trampoline more takes longer to attach, and the
// kernel patches text once more; runs that are skipped of the others are rare, and count as lost.
static bool is_hot(std::string_view program)
{
    constexpr std::string_view kHot[] = {"on_sys_exit",           "on_sys_enter",          "on_read_exit",
                                         "on_recvfrom_exit",      "on_recvmsg_exit",       "on_write_exit",
                                         "on_writev_exit",        "on_sendto_exit",        "on_sendmsg_exit",
                                         "on_accept4_exit",       "on_futex_exit",         "on_close_enter",
                                         "on_do_epoll_ctl",       "on_do_epoll_ctl_file",  "on_do_epoll_wait_enter",
                                         "on_readv_exit",         "on_sendfile64_exit",    "on_pread64_exit",
                                         "on_connect_exit",       "on_accept_exit",        "on_do_epoll_wait_exit",
                                         "on_sched_process_fork", "on_sched_process_exec", "on_sched_process_exit",
                                         "on_epoll_create_exit",  "on_epoll_create1_exit", "on_eventpoll_release_file"};
    return std::find(std::begin(kHot), std::end(kHot), program) != std::end(kHot);
}

void choose_twins(LiveCapture::Impl& impl, const KernelWords& kernel, const btf* types)
{
    epaudit_bpf& skeleton = *impl.skeleton;
    const bool wanted = probes_are_preempted(kernel, types, impl.trampolines);
    skeleton.rodata->twins = wanted;
    bpf_map__set_autocreate(skeleton.maps.marks, wanted);
    bpf_program* program;
    bpf_object__for_each_program(program, skeleton.obj)
    {
        if (!is_twin(program))
            continue;
        const bpf_program* first = first_of(skeleton, program);
        bpf_program__set_autoload(program, wanted && bpf_program__autoload(first) && is_hot(bpf_program__name(first)));
    }
}

namespace {

struct Skipped {
    uint64_t firsts = 0;
    uint64_t twins = 0;
    uint64_t others = 0;
    uint64_t readiness = 0;
};

// recursion_misses: since 5.12 (9ed9e9ba2337)
uint64_t skipped_runs(const bpf_program* program)
{
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    int fd = bpf_program__fd(program);
    return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.recursion_misses;
}

bool has_twin(const epaudit_bpf& skeleton, const bpf_program* program)
{
    const std::string twin = bpf_program__name(program) + std::string(kTwin);
    const bpf_program* found = bpf_object__find_program_by_name(skeleton.obj, twin.c_str());
    return found && bpf_program__fd(found) >= 0;
}

Skipped read_skipped(const epaudit_bpf& skeleton)
{
    Skipped sum;
    bpf_program* program;
    bpf_object__for_each_program(program, skeleton.obj)
    {
        uint64_t runs = skipped_runs(program);
        if (is_twin(program)) {
            sum.twins += runs;
        } else if (has_twin(skeleton, program)) {
            sum.firsts += runs;
        } else if (only_dates(skeleton, program)) {
            sum.readiness += runs;
        } else if (!has_nothing_to_do(skeleton, program)) {
            sum.others += runs;
        }
    }
    return sum;
}

// While somebody is on the way from a program to its twin, or between our two readings, numbers do not fit.
constexpr int kTries = 50;
constexpr useconds_t kPauseUs = 10'000;

TwinCounts counts_of(const Skipped& skipped, const std::array<uint64_t, STAT_SLOTS>& stats)
{
    return {skipped.firsts, stats[STAT_STOOD_IN], stats[STAT_UNMARKED]};
}

}  // namespace

uint64_t stood_in_between(const TwinCounts& then, const TwinCounts& now)
{
    const uint64_t stood_in = now.stood_in - then.stood_in;
    return stood_in - std::min(stood_in, now.unmarked - then.unmarked);
}

uint64_t missed_between(const TwinCounts& then, const TwinCounts& now)
{
    const uint64_t skipped = now.firsts_skipped - then.firsts_skipped;
    return skipped - std::min(skipped, stood_in_between(then, now));
}

std::string skipped_programs(const epaudit_bpf& skeleton)
{
    std::string text;
    bpf_program* program;
    bpf_object__for_each_program(program, skeleton.obj)
    {
        if (is_twin(program) || only_dates(skeleton, program) || has_nothing_to_do(skeleton, program) ||
            has_twin(skeleton, program))
            continue;
        if (uint64_t runs = skipped_runs(program))
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", bpf_program__name(program), runs);
    }
    return text;
}

void begin_twins_account(LiveCapture::Impl& impl)
{
    Skipped before;
    std::array<uint64_t, STAT_SLOTS> stats{};
    for (int tries = 0; tries < kTries; tries++) {
        before = read_skipped(*impl.skeleton);
        read_stats(impl.skeleton->maps.stats, stats);
        if (read_skipped(*impl.skeleton).firsts == before.firsts)
            break;
    }
    impl.twins_then = counts_of(before, stats);
}

void note_skipped_before_gap(LiveCapture::Impl& impl)
{
    std::array<uint64_t, STAT_SLOTS> stats{};
    read_stats(impl.skeleton->maps.stats, stats);
    const TwinCounts now = counts_of(read_skipped(*impl.skeleton), stats);
    impl.missed_before_gap += missed_between(impl.twins_then, now);
    impl.stood_in_before_gap += stood_in_between(impl.twins_then, now);
}

// `stats` is read before the kernel's numbers are: so too much may look missed, never too little.
void count_skipped_runs(const LiveCapture::Impl& impl, std::array<uint64_t, STAT_SLOTS>& stats)
{
    uint64_t missed = UINT64_MAX;
    for (int tries = 0; tries < kTries && missed; tries++) {
        if (tries) {
            usleep(kPauseUs);
            read_stats(impl.skeleton->maps.stats, stats);
        }
        Skipped skipped = read_skipped(*impl.skeleton);
        const TwinCounts now = counts_of(skipped, stats);
        missed = impl.paused ? 0 : std::min(missed, missed_between(impl.twins_then, now));
        stats[STAT_STOOD_IN] = impl.stood_in_before_gap + (impl.paused ? 0 : stood_in_between(impl.twins_then, now));
        stats[STAT_READINESS_SKIPPED] = skipped.readiness;
        stats[STAT_TWINS_SKIPPED] = skipped.twins;
        stats[STAT_RUNS_SKIPPED] = skipped.others + missed + impl.missed_before_gap;
    }
    stats[STAT_PROCESSES_32BIT] += impl.programs_32bit;
    stats[STAT_MESSAGES_BEYOND] += impl.buried_lost;
}

}  // namespace epaudit
