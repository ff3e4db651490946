// SPDX-License-Identifier: Apache-2.0
// Looks for the interpreter of Python in processes that are watched, so that the probe can walk its frames (bpf/python.h).
#include <algorithm>

#include "src/capture/live_impl.h"
#include "src/support/clock.h"
#include "src/support/proc.h"
#include "src/symbols/code_map.h"

namespace epaudit {
namespace {

// The library of an interpreter is mapped a millisecond or two after exec, and its first epoll_ctl comes ten or more after that.
// So it is looked for soon, then less and less often. Programs that load it later are looked at again when a stack arrives.
constexpr uint64_t kFirstNs = NSEC_PER_MSEC;
constexpr unsigned kMostTries = 9;
constexpr uint64_t kAgainNs = 10 * NSEC_PER_SEC;
constexpr size_t kMostSearches = 1024;

// Cheaper than its whole image, which most programs need not have yet.
bool names_python(uint32_t pid)
{
    return CodeMap(read_proc_file("/proc/" + std::to_string(living_thread(pid)) + "/maps")).python();
}

bool find_python(LiveCapture::Impl& impl, uint32_t pid)
{
    const python_offsets* offsets = names_python(pid) ? impl.stacks->python(pid) : nullptr;
    if (!offsets || bpf_map_update_elem(bpf_map__fd(impl.skeleton->maps.pythons), &pid, offsets, BPF_ANY))
        return false;
    __atomic_store_n(&impl.skeleton->bss->facts.pythons, 1u, __ATOMIC_RELEASE);
    return true;
}

}  // namespace

void begin_python_search(LiveCapture::Impl& impl, uint32_t pid, uint64_t in_ns)
{
    if (!impl.stacks)
        return;
    if (impl.python_searches.size() >= kMostSearches)
        impl.python_searches.clear();
    impl.python_searches[pid] = {monotonic_ns() + in_ns, 0};
}

void python_stack_arrived(LiveCapture::Impl& impl, uint32_t pid)
{
    const auto known = impl.python_searches.find(pid);
    if (known == impl.python_searches.end() || monotonic_ns() >= known->second.due)
        begin_python_search(impl, pid, 0);
}

void LiveCapture::search_pythons()
{
    const uint64_t now = monotonic_ns();
    for (auto& [pid, search] : impl_->python_searches) {
        if (search.tries >= kMostTries || now < search.due)
            continue;
        const bool found = find_python(*impl_, pid);
        search.tries = found ? kMostTries : search.tries + 1;
        search.due = monotonic_ns() + (search.tries >= kMostTries ? kAgainNs : kFirstNs << search.tries);
    }
}

int LiveCapture::searches_in_ms() const
{
    const uint64_t now = monotonic_ns();
    uint64_t soonest = NSEC_PER_SEC;
    for (const auto& [pid, search] : impl_->python_searches)
        if (search.tries < kMostTries)
            soonest = std::min(soonest, search.due > now ? search.due - now : 0);
    return static_cast<int>((soonest + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

int LiveCapture::exec_fd() const { return impl_->stack_ring ? ring_buffer__epoll_fd(impl_->stack_ring.get()) : -1; }

}  // namespace epaudit
