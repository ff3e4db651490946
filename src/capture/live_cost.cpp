// SPDX-License-Identifier: Apache-2.0
// What the probes cost everybody, asked of the kernel: with its statistics of run time on, it adds up for each program
// how long it ran. They cost some 50 ns a run themselves (two readings of the clock), so they are on for short windows
// only, and part of that is in the result: it is a little more than watching costs while nobody measures.
//
// Not in it: what the kernel does to get to a probe (at a raw_syscalls tracepoint it leaves the short way in and out of
// all system calls of all processes, watched or not).
#include "src/capture/live_impl.h"
#include "src/support/apart.h"

namespace epaudit {

bool LiveCapture::measure(bool on)
{
    impl_->statistics = on ? measure_programs() : Descriptor();
    return static_cast<bool>(impl_->statistics);
}

uint64_t LiveCapture::probe_ns() const
{
    uint64_t sum = 0;
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(impl_->skeleton->obj, program))) {
        bpf_prog_info info{};
        uint32_t size = sizeof(info);
        const int fd = bpf_program__fd(program);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
            sum += info.run_time_ns;
    }
    return sum;
}

}  // namespace epaudit
