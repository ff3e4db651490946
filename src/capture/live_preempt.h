// SPDX-License-Identifier: Apache-2.0
// How the kernel preempts decides what probes may do. Not asked of its version: kernels for real time had much of this
// before the others.
#pragma once

#include <bpf/btf.h>

#include <string>

namespace epaudit {

// What can be read of it; each may be empty, in a container most of them are.
struct KernelWords {
    std::string release;       // uname -r
    std::string version;       // uname -v
    std::string command_line;  // /proc/cmdline
    std::string preempt_now;   // debugfs: "none voluntary (full) lazy"
    std::string config;        // how it was built

    static KernelWords running();
};

bool is_realtime(const KernelWords& kernel);

// Can a task be preempted in the kernel? With PREEMPT_DYNAMIC that is decided at boot: by the command line, else as the
// kernel was built. Where nothing tells, the answer is yes: twins that are not needed cost a little, those that are
// missing cost postings.
bool is_preemptible(const KernelWords& kernel);

// A trampoline pins its task to the CPU by migrate_disable(), which kept it from being preempted as well until it became a
// function of its own (5.11, 74d862b682f5; for real time before).
bool trampolines_are_preempted(const KernelWords& kernel, const btf* types);

// Since 7.0 tracepoints no longer disable preemption (until then only trampolines could be preempted), and on
// x86-64 and arm64 every kernel is preemptible: of the models only full and lazy remain.
bool probes_are_preempted(const KernelWords& kernel, const btf* types, bool trampolines);

// Does the kernel skip a program that is running on this CPU already (5.12, ca06f55b9002)? Where it does not, one that is
// preempted shares what it has per CPU with the next.
bool protects_from_recursion(const btf* types);

// Real time, and the kernel's lock of a ring buffer, or what makes a thread's mark (bpf/twins.h), may sleep, which a probe
// must not. Rings: until 8b62645b09f8 (6.12, and later releases of older lines). Marks: until 08a7ce384e33 (6.4).
bool rings_may_sleep(const KernelWords& kernel, const btf* types);
bool marks_may_sleep(const KernelWords& kernel, const btf* types);

// Why trampolines must not be used though the kernel may allow them. Empty: nothing speaks against them.
std::string danger_of_trampolines(const KernelWords& kernel, const btf* types);

// Tables without preallocated rows have an allocator of their own (6.1, fba1a1c6c912). Before, it is kmalloc(), under a lock
// that sleeps on kernels for real time; and a kprobe that uses such a table makes the kernel warn.
bool rows_come_from_own_memory(const btf* types);

}  // namespace epaudit
