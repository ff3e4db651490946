// SPDX-License-Identifier: Apache-2.0
// User stacks from the kernel's ring into the stack book.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "src/capture/live_impl.h"

namespace epaudit {
namespace {

// Taking one costs the target a few µs and us some hundred: so many at once, so many more at each look.
constexpr int32_t kMostAtOnce = 64;
constexpr int32_t kMorePerLook = 8;
// A stall whose call was not made again for so long will not be explained.
constexpr uint64_t kNapPatience = 60 * NSEC_PER_SEC;

// What a program needs to begin.
constexpr uint64_t kSoonNs = NSEC_PER_MSEC;

StackOwner of_epoll(StackOwner owner, StackRole role, const stack_record& record)
{
    owner.role = role;
    owner.id = record.epoll;
    return owner;
}

StackOwner owner_of(const stack_record& record)
{
    StackOwner owner;
    owner.time = record.time;
    owner.tid = record.tid;
    owner.pid = record.tgid;
    owner.id = record.role & STACK_LEFT ? record.site : record.file;
    switch (record.role & ~static_cast<uint32_t>(STACK_LEFT)) {
    case STACK_ARMED:
        owner.role = StackRole::kArmed;
        owner.id = record.site;
        break;
    case STACK_WAIT: return of_epoll(owner, StackRole::kWait, record);
    case STACK_WRITE: owner.role = StackRole::kWrite; break;
    case STACK_ACCEPT: owner.role = StackRole::kAccept; break;
    case STACK_REFUSED: owner.role = StackRole::kRefused; break;
    case STACK_BLOCKED: return of_epoll(owner, StackRole::kBlocked, record);
    case STACK_CREATED: return of_epoll(owner, StackRole::kCreated, record);
    case STACK_CHANGED: return of_epoll(owner, StackRole::kChanged, record);
    case STACK_STALE: return of_epoll(owner, StackRole::kStale, record);
    default: owner.role = StackRole::kRead; break;
    }
    return owner;
}

int on_stack(void* context, void* data, size_t size)
{
    auto& impl = *static_cast<LiveCapture::Impl*>(context);
    if (size == sizeof(exec_record)) {
        const uint32_t pid = static_cast<const exec_record*>(data)->tgid;
        impl.stacks->became_another(pid);
        begin_python_search(impl, pid, kSoonNs);
        return 0;
    }
    const auto& record = *static_cast<const stack_record*>(data);
    if (size < sizeof(record))
        return 0;
    StackSlice slice;
    slice.pid = record.tgid;
    slice.start = record.start;
    set_registers(slice, record.registers);
    slice.bytes.assign(record.slice, record.slice + std::min<size_t>(record.bytes, size - sizeof(record)));
    slice.python.assign(record.python, record.python + std::min<size_t>(record.pythons, PYTHON_FRAMES));
    if (slice.python.empty())
        python_stack_arrived(impl, slice.pid);
    impl.stacks->add(owner_of(record), slice);
    return 0;
}

}  // namespace

void size_stacks(epaudit_bpf& skeleton, uint32_t stack_bytes)
{
    if (!stack_bytes) {  // the ring still needs a page
        bpf_map__set_max_entries(skeleton.maps.stacks, static_cast<uint32_t>(getpagesize()));
        return;
    }
    // One more page: the slice begins below the stack pointer.
    uint32_t pages = std::min<uint32_t>((stack_bytes + STACK_PAGE - 1) / STACK_PAGE + 1, STACK_PAGES);
    skeleton.rodata->stack_bytes = pages * STACK_PAGE;
}

Result<> open_stacks(LiveCapture::Impl& impl)
{
    if (!impl.skeleton->rodata->stack_bytes)
        return Done{};
    impl.stacks = std::make_shared<StackBook>();
    impl.stack_ring.reset(ring_buffer__new(bpf_map__fd(impl.skeleton->maps.stacks), on_stack, &impl, nullptr));
    if (!impl.stack_ring)
        return observe_error(std::string("cannot read the ring of stacks: ") + strerror(errno));
    impl.skeleton->bss->facts.stacks_left = kMostAtOnce;
    return Done{};
}

void follow_naps(LiveCapture::Impl& impl, const Snapshot& books)
{
    bpf_program* program = impl.skeleton->progs.on_nap_exit;
    if (!bpf_program__autoload(program))
        return;
    bool wanted = std::any_of(books.epolls.begin(), books.epolls.end(), [&](const auto& epoll) {
        const epoll_row& e = epoll.second;
        return (e.stacks_wanted & STACK_BLOCKED) && e.stall_call != AWAY_IN_ANOTHER_LOOP &&
               e.stall_until + kNapPatience > books.time;
    });
    if (!wanted)
        impl.naps.reset();
    else if (!impl.naps)
        impl.naps.reset(bpf_program__attach(program));  // should it fail, the finding is the same without a stack
}

void LiveCapture::collect_stacks()
{
    if (!impl_->stack_ring)
        return;
    ring_buffer__consume(impl_->stack_ring.get());
    int32_t& left = impl_->skeleton->bss->facts.stacks_left;
    left = std::min(left + kMorePerLook, kMostAtOnce);
}

std::vector<std::string> LiveCapture::notes() const
{
    std::vector<std::string> notes = impl_->stacks ? impl_->stacks->notes() : std::vector<std::string>();
    const probe_facts& facts = impl_->skeleton->bss->facts;
    if (facts.tgid_32bit)
        notes.push_back(fmt::format("{} (pid {}) is a 32-bit program: its system calls were not looked at",
                                    std::string(facts.comm_32bit, strnlen(facts.comm_32bit, sizeof(facts.comm_32bit))),
                                    facts.tgid_32bit));
    if (facts.mptcp == MPTCP_UNSEEN)
        notes.emplace_back(
            "connections of multipath TCP were not looked at: this kernel does not tell how much of their input "
            "was read (mptcp_sock.bytes_consumed)");
    if (std::string skipped = skipped_programs(*impl_->skeleton); !skipped.empty())
        notes.push_back("the kernel skipped runs of probes that have no backup: " + skipped);
    return notes;
}

}  // namespace epaudit
