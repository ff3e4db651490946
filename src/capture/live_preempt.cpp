// SPDX-License-Identifier: Apache-2.0
// What a kernel says of how it preempts, and what follows for probes and tables.
#include "src/capture/live_preempt.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <string_view>

#include "src/support/proc.h"

namespace epaudit {
namespace {

constexpr const char* kNoProtection =
    "this kernel preempts such probes and does not protect them from running twice at once (it does since 5.12)";

constexpr const char* kMarksMaySleep =
    "this kernel for real time may sleep where a probe asks for memory, which such probes need (it does not since 6.4)";

bool holds(const std::string& text, std::string_view word) { return text.find(word) != std::string::npos; }

// Members of a member without a name count as well. Null: there is none.
const btf_member* find_member(const btf* kernel, const char* type_name, std::string_view member)
{
    const int id = btf__find_by_name_kind(kernel, type_name, BTF_KIND_STRUCT);
    const btf_type* type = id < 0 ? nullptr : btf__type_by_id(kernel, static_cast<__u32>(id));
    for (int i = 0; type && i < btf_vlen(type); i++) {
        const btf_member& one = btf_members(type)[i];
        const std::string_view name = btf__name_by_offset(kernel, one.name_off);
        if (name == member)
            return &one;
        const btf_type* inner = btf__type_by_id(kernel, one.type);
        for (int j = 0; name.empty() && inner && btf_is_composite(inner) && j < btf_vlen(inner); j++)
            if (member == btf__name_by_offset(kernel, btf_members(inner)[j].name_off))
                return &btf_members(inner)[j];
    }
    return nullptr;
}

bool has_member(const btf* kernel, const char* type_name, std::string_view member)
{
    return find_member(kernel, type_name, member) != nullptr;
}

}  // namespace

KernelWords KernelWords::running()
{
    utsname names{};
    uname(&names);
    KernelWords words{names.release,
                      names.version,
                      read_proc_file("/proc/cmdline"),
                      read_proc_file("/sys/kernel/debug/sched/preempt"),
                      {}};
    for (const char* place : {"/boot/config-{}", "/lib/modules/{}/config", "/lib/modules/{}/build/.config"})
        if (words.config.empty())
            words.config = read_proc_file(fmt::format(fmt::runtime(place), words.release));
    return words;
}

bool is_realtime(const KernelWords& kernel) { return holds(kernel.version, "PREEMPT_RT"); }

bool is_preemptible(const KernelWords& kernel)
{
    if (kernel.version.empty())
        return true;
    if (!holds(kernel.version, "PREEMPT_DYNAMIC"))
        return holds(kernel.version, "PREEMPT");
    if (holds(kernel.command_line, "preempt="))
        return holds(kernel.command_line, "preempt=full") || holds(kernel.command_line, "preempt=lazy");
    if (!kernel.preempt_now.empty())
        return holds(kernel.preempt_now, "(full)") || holds(kernel.preempt_now, "(lazy)");
    if (kernel.config.empty())
        return true;
    return holds(kernel.config, "\nCONFIG_PREEMPT=y") || holds(kernel.config, "\nCONFIG_PREEMPT_LAZY=y");
}

bool trampolines_are_preempted(const KernelWords& kernel, const btf* types)
{
    return is_preemptible(kernel) && has_member(types, "task_struct", "migration_disabled");
}

bool probes_are_preempted(const KernelWords& kernel, const btf* types, bool trampolines)
{
    return atoi(kernel.release.c_str()) >= 7 || (trampolines && trampolines_are_preempted(kernel, types));
}

bool protects_from_recursion(const btf* types)
{
    return has_member(types, "bpf_prog", "active") || has_member(types, "bpf_prog_stats", "misses");
}

bool rings_may_sleep(const KernelWords& kernel, const btf* types)
{
    const btf_member* lock = find_member(types, "bpf_ringbuf", "spinlock");
    const btf_type* type = lock ? btf__type_by_id(types, lock->type) : nullptr;
    return is_realtime(kernel) && type && btf__name_by_offset(types, type->name_off) == std::string_view("spinlock_t");
}

bool marks_may_sleep(const KernelWords& kernel, const btf* types)
{
    const bool own_memory = has_member(types, "bpf_local_storage_map", "bpf_ma") ||
                            has_member(types, "bpf_local_storage_map", "use_kmalloc_nolock") ||
                            btf__find_by_name_kind(types, "bpf_map_kmalloc_nolock", BTF_KIND_FUNC) > 0;
    return is_realtime(kernel) && !own_memory;
}

std::string danger_of_trampolines(const KernelWords& kernel, const btf* types)
{
    if (!trampolines_are_preempted(kernel, types))
        return "";
    if (!protects_from_recursion(types))
        return kNoProtection;
    return marks_may_sleep(kernel, types) ? kMarksMaySleep : "";
}

bool rows_come_from_own_memory(const btf* types)
{
    return btf__find_by_name_kind(types, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;
}

}  // namespace epaudit
