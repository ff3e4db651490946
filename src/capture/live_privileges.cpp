// SPDX-License-Identifier: Apache-2.0
// What is kept of capabilities once the probes are attached, and why.
#include "src/capture/live_impl.h"
#include "src/support/apart.h"
#include "src/support/capabilities.h"

namespace epaudit {
namespace {

constexpr uint64_t kForBpf = capability_bit(kCapBpf) | capability_bit(kCapPerfmon);

// Before 6.0 every bpf(2) wants CAP_BPF where kernel.unprivileged_bpf_disabled is set, whatever descriptors one has. And
// the program that explains a sleep is attached when there is one to be explained. All are tried as they would be.
bool works_without_bpf(LiveCapture::Impl& impl)
{
    const uint32_t nobody = 0;
    process_row row{};
    if (bpf_map_lookup_elem(bpf_map__fd(impl.skeleton->maps.process_rows), &nobody, &row) && errno != ENOENT)
        return false;
    // Of a selection: the walk over the files of a process that comes later.
    if (bpf_program__autoload(impl.skeleton->progs.on_seed) &&
        !Link(bpf_program__attach_iter(impl.skeleton->progs.on_seed, nullptr)))
        return false;
    const bpf_program* naps = impl.skeleton->progs.on_nap_exit;
    if (impl.naps || !bpf_program__autoload(naps))
        return true;
    return static_cast<bool>(Link(bpf_program__attach(naps)));
}

}  // namespace

// CAP_SYS_PTRACE: /proc/PID/{exe,maps,root,syscall} of other users' processes, and of those that changed their user.
// CAP_DAC_READ_SEARCH: /proc/PID/task/TID/syscall is 0400 and /proc/PID/map_files 0500 of their owner, and he is not
// root; so may be programs and libraries, which are opened here and handed to whoever reads them.
// CAP_CHECKPOINT_RESTORE: files that were replaced since they were mapped, by /proc/PID/map_files.
uint64_t kept_for_looks()
{
    return capability_bit(kCapSysPtrace) | capability_bit(kCapDacReadSearch) | capability_bit(kCapCheckpointRestore);
}

void LiveCapture::give_up_privileges(uint64_t also)
{
    uint64_t kept = kept_for_looks() | also;
    const bool works = !use_capabilities(kept) || works_without_bpf(*impl_);
    use_capabilities(~0ULL);
    if (!works)  // who has no CAP_BPF loaded by the one that stands for all
        kept |= Capabilities::own().has(kCapBpf) ? kForBpf : capability_bit(kCapSysAdmin);
    epaudit::give_up_privileges(kept);
}

}  // namespace epaudit
