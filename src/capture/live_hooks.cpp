// SPDX-License-Identifier: Apache-2.0
// Which hooks: chosen by trying to load, never by kernel version or lockdown state. Programs of the set not
// chosen, and those whose function this kernel does not have, are not loaded, so that one refused program
// never takes the others down.
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "src/capture/live_impl.h"
#include "src/capture/live_preempt.h"
#include "src/support/descriptor.h"

namespace epaudit {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// What stands in for ep_poll_callback() where it cannot be hooked.
bool is_readiness_substitute(const epaudit_bpf& skeleton, const bpf_program* program)
{
    const auto& p = skeleton.progs;
    return program == p.on_sk_data_ready || program == p.on_hrtimer_expire_entry || program == p.on_signal_generate;
}

// Without these there is nothing to audit; any other function may be missing on some kernel or architecture.
bool is_essential(const std::string& function)
{
    return function == "do_epoll_wait" || function == "ep_poll_callback" ||
           function.find("_sys_read") != std::string::npos;
}

// Empty when the set can be used, else why not. Turns off what this kernel does not have.
std::string try_trampolines(LiveCapture::Impl& impl, const btf* kernel)
{
    epaudit_bpf& skeleton = *impl.skeleton;
    bpf_program* program;
    bpf_object__for_each_program(program, skeleton.obj)
    {
        if (hook_of(skeleton, program) != Hook::kTrampoline || is_twin(program))
            continue;
        std::string function = hook_name(program);
        bool at_entry = starts_with(bpf_program__section_name(program), "fentry/");
        int error = try_load(at_entry ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT, kernel, function.c_str());
        if (error == 0)
            continue;
        bpf_program__set_autoload(program, false);
        impl.refused[bpf_program__name(program)] = error == -ENOENT ? "this kernel has no such function"
                                                                    : strerror(-error);
        if (error != -ENOENT || is_essential(function))
            return fmt::format("{} on {}: {}", at_entry ? "fentry" : "fexit", function, strerror(-error));
    }
    skeleton.rodata->ctl_file_hooked = bpf_program__autoload(skeleton.progs.on_do_epoll_ctl_file);
    if (!bpf_program__autoload(skeleton.progs.on_do_epoll_ctl) && !skeleton.rodata->ctl_file_hooked)
        return "neither do_epoll_ctl() nor do_epoll_ctl_file() can be hooked";
    return {};
}

// Type of a kernel function's parameter, nullptr when it has no such function or parameter.
const btf_type* parameter_type(const btf* kernel, const std::string& function, int index)
{
    int id = btf__find_by_name_kind(kernel, function.c_str(), BTF_KIND_FUNC);
    const btf_type* type = id < 0 ? nullptr : btf__type_by_id(kernel, static_cast<__u32>(id));
    const btf_type* prototype = type ? btf__type_by_id(kernel, type->type) : nullptr;
    if (!prototype || btf_vlen(prototype) <= index)
        return nullptr;
    return btf__type_by_id(kernel, btf_params(prototype)[index].type);
}

// 5.10: int timeout in ms; later: struct timespec64 *.
bool timeout_is_int(const btf* kernel)
{
    const btf_type* timeout = parameter_type(kernel, "do_epoll_wait", 3);
    return timeout && btf_is_int(timeout);
}

// Is struct pt_regs, as the system call functions know it, only a forward declaration?
bool registers_are_forward(const btf* kernel, const bpf_program* any_call)
{
    const btf_type* type = parameter_type(kernel, hook_name(any_call), 0);
    while (type && (btf_is_ptr(type) || btf_is_mod(type)))
        type = btf__type_by_id(kernel, type->type);
    return type && btf_is_fwd(type);
}

// Of the type that says what it hands to its programs. Not above 0: this kernel has no such tracepoint.
int tracepoint_type(const btf* kernel, const char* name)
{
    return btf__find_by_name_kind(kernel, fmt::format("btf_trace_{}", name).c_str(), BTF_KIND_TYPEDEF);
}

bool has_tracepoint(const btf* kernel, const char* name) { return tracepoint_type(kernel, name) > 0; }

bool is_pointer(const btf* kernel, __u32 id)
{
    const btf_type* type = btf__type_by_id(kernel, id);
    while (type && (btf_is_typedef(type) || btf_is_mod(type)))
        type = btf__type_by_id(kernel, type->type);
    return type && btf_is_ptr(type);
}

// What it hands to its programs; the first parameter is none of theirs. nullptr: this kernel has no such tracepoint.
const btf_type* tracepoint_prototype(const btf* kernel, const char* name)
{
    int id = tracepoint_type(kernel, name);
    const btf_type* type = id < 0 ? nullptr : btf__type_by_id(kernel, static_cast<__u32>(id));
    while (type && (btf_is_typedef(type) || btf_is_ptr(type)))
        type = btf__type_by_id(kernel, type->type);
    return type && btf_is_func_proto(type) ? type : nullptr;
}

// io_uring's tracepoints have had several shapes (bpf/hooks_ring.h). Without them no ring is used here.
void choose_ring_hooks(const LiveCapture::Impl& impl, const btf* kernel)
{
    auto& p = impl.skeleton->progs;
    const btf_type* older = tracepoint_prototype(kernel, "io_uring_submit_sqe");
    const bool newest = has_tracepoint(kernel, "io_uring_submit_req");
    const bool request_alone = !newest && older && btf_vlen(older) == 3;
    const bool told = newest || request_alone;
    bpf_program__set_autoload(p.on_io_uring_submit_req, newest);
    bpf_program__set_autoload(p.on_io_uring_submit_sqe, request_alone);
    bpf_program__set_autoload(p.on_io_uring_submit_opcode, !told && older);
    bpf_program__set_autoload(p.on_io_uring_complete, told && !impl.trampolines);
    impl.skeleton->rodata->ring_changes_unseen = !told && !impl.trampolines;
    if (!told && older)
        impl.skeleton->rodata->ring_opcode_third = is_pointer(kernel, btf_params(older)[2].type);
}

// Tracepoints that only enrich: without them the observation goes on, and coverage says what is lost.
void drop_missing_tracepoints(LiveCapture::Impl& impl, const btf* kernel)
{
    auto& programs = impl.skeleton->progs;
    auto need = [&](const char* tracepoint, bpf_program* program, bool& sight) {
        if (has_tracepoint(kernel, tracepoint))
            return;
        bpf_program__set_autoload(program, false);
        impl.refused[bpf_program__name(program)] = "this kernel has no such tracepoint";
        sight = false;
        impl.missing += fmt::format("{}this kernel has no tracepoint {}", impl.missing.empty() ? "" : ", ", tracepoint);
    };
    if (!impl.trampolines) {
        need("sk_data_ready", programs.on_sk_data_ready, impl.has_readiness);  // since 6.3
        need("hrtimer_expire_entry", programs.on_hrtimer_expire_entry, impl.has_readiness);
        need("signal_generate", programs.on_signal_generate, impl.has_readiness);
    }
    need("sched_waking", programs.on_sched_waking, impl.has_wakeups);
}

void preallocate_rows(epaudit_bpf& skeleton)
{
    bpf_map* map;
    bpf_object__for_each_map(map, skeleton.obj) if (bpf_map__type(map) == BPF_MAP_TYPE_HASH)
        bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~static_cast<__u32>(BPF_F_NO_PREALLOC));
}

}  // namespace

int try_load(bpf_attach_type type, const btf* kernel, const char* function)
{
    int id = btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC);
    if (id < 0)
        return -ENOENT;
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
    code[1].code = BPF_JMP | BPF_EXIT;
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = type;
    options.attach_btf_id = static_cast<__u32>(id);
    int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "on_trial", "GPL", code, 2, &options);
    if (fd < 0)
        return -errno;
    Descriptor program(fd);
    // Attaching is another question than loading, and a costly one: asked once, for the seam itself.
    if (strcmp(function, "ep_poll_callback") != 0)
        return 0;
    Descriptor link(bpf_raw_tracepoint_open(nullptr, fd));
    return link ? 0 : -errno;
}

std::string hook_name(const bpf_program* program)
{
    std::string section = bpf_program__section_name(program);
    return section.substr(section.find('/') + 1);
}

Hook hook_of(const epaudit_bpf& skeleton, const bpf_program* program)
{
    if (is_twin(program) && !bpf_program__autoload(program))
        return Hook::kNone;
    std::string_view section = bpf_program__section_name(program);
    if (starts_with(section, "fentry/") || starts_with(section, "fexit/"))
        return Hook::kTrampoline;
    if (!starts_with(section, "tp_btf/") || program == skeleton.progs.on_nap_exit)  // attached when wanted
        return Hook::kNone;
    std::string hook = hook_name(program);
    bool only = hook == "sys_enter" || hook == "sys_exit" || hook == "io_uring_complete" ||
                is_readiness_substitute(skeleton, program);
    return only ? Hook::kTracepoint : Hook::kBoth;
}

Result<> choose_hooks(LiveCapture::Impl& impl, const KernelTypes& kernel, HookSet wanted)
{
    epaudit_bpf& skeleton = *impl.skeleton;
    impl.refused.clear();
    impl.missing.clear();
    const KernelWords words = KernelWords::running();
    if (rings_may_sleep(words, kernel.get()))
        return observe_error(
            "this kernel for real time may sleep where a probe writes a ring buffer, which probes must not",
            "newer kernels do not (6.12, and later releases of 6.1); or use --source strace");
    if (wanted != HookSet::kTracepoint)
        impl.why_not_trampolines = danger_of_trampolines(words, kernel.get());
    impl.trampolines_are_dangerous = !impl.why_not_trampolines.empty();
    if (wanted != HookSet::kTracepoint && impl.why_not_trampolines.empty())
        impl.why_not_trampolines = try_trampolines(impl, kernel.get());
    impl.trampolines = wanted != HookSet::kTracepoint && impl.why_not_trampolines.empty();
    if (wanted == HookSet::kTrampoline && !impl.trampolines)
        return observe_error("hook set trampoline cannot be used here: " + impl.why_not_trampolines,
                             "--hooks auto takes what this kernel allows");
    bpf_program* program;
    bpf_object__for_each_program(program, skeleton.obj)
    {
        if (hook_of(skeleton, program) == (impl.trampolines ? Hook::kTracepoint : Hook::kTrampoline))
            bpf_program__set_autoload(program, false);
    }
    choose_ring_hooks(impl, kernel.get());
    choose_twins(impl, words, kernel.get());
    bpf_program__set_autoload(skeleton.progs.on_nap_exit, impl.trampolines && skeleton.rodata->stack_bytes);
    // The kprobe is the second choice for the readiness seam, only where trampolines were wanted and refused.
    const bool kprobe = wanted == HookSet::kAuto && !impl.trampolines;
    bpf_program__set_autoload(skeleton.progs.on_ep_poll_callback_kprobe, kprobe);
    if (!rows_come_from_own_memory(kernel.get()) && (kprobe || is_realtime(words)))
        preallocate_rows(skeleton);
    impl.timeout_in_ms = timeout_is_int(kernel.get());
    skeleton.rodata->probe_registers = registers_are_forward(kernel.get(), skeleton.progs.on_recvfrom_exit);
    drop_missing_tracepoints(impl, kernel.get());
    return Done{};
}

// Rare events that tell who lives and who is whose child. Attached all the time they cost next to nothing, and detaching
// them would cost more than that.
static bool stays_in_gaps(const bpf_program* program)
{
    const std::string hook = hook_name(program);
    return hook == "sched_process_fork" || hook == "sched_process_exec" || hook == "sched_process_exit" ||
           hook == "inet_sock_set_state";
}

// A wait that is seen to begin and not to end is a hole in the books. So what sees it begin is attached when what sees it end
// is there already, and goes before that (detach_hooks()); for fexit on do_epoll_wait(), whose image is made anew by each
// program that comes or goes, see ledger_wait() in bpf/ledger_wait.h.
static bool sees_waits_begin(const bpf_program* program)
{
    const std::string hook = hook_name(program);
    return hook == "sys_enter" ||
           (hook == "do_epoll_wait" && starts_with(bpf_program__section_name(program), "fentry/"));
}

static Result<> attach_hook(LiveCapture::Impl& impl, const bpf_program* program, bool again)
{
    const bool stays = stays_in_gaps(program);
    if (stays && again)
        return Done{};
    Link link(bpf_program__attach(program));
    if (!link)
        return observe_error(fmt::format("cannot attach {}: {}", bpf_program__name(program), strerror(errno)),
                             fmt::format("libbpf says: {}", last_libbpf_message()));
    (stays ? impl.lasting_links : impl.links).push_back(std::move(link));
    if (!again)
        impl.attached.push_back(bpf_program__name(program));
    return Done{};
}

void detach_hooks(LiveCapture::Impl& impl)
{
    while (!impl.links.empty())
        impl.links.pop_back();
}

// Substitutes for the readiness seam are not attached when the kprobe holds. `again`: after a gap.
Result<> attach_hooks(LiveCapture::Impl& impl, bool again)
{
    epaudit_bpf& skeleton = *impl.skeleton;
    auto& p = skeleton.progs;
    if (bpf_program__autoload(p.on_ep_poll_callback_kprobe)) {
        if (!impl.readiness_kprobe)
            impl.readiness_kprobe.reset(bpf_program__attach(p.on_ep_poll_callback_kprobe));
        if (impl.readiness_kprobe) {
            impl.kprobe_readiness = true;
            impl.has_readiness = true;
            if (!again)
                impl.attached.push_back(bpf_program__name(p.on_ep_poll_callback_kprobe));
        }
    }
    for (bool begins : {false, true}) {
        bpf_program* program;
        bpf_object__for_each_program(program, skeleton.obj)
        {
            if (sees_waits_begin(program) != begins || !bpf_program__autoload(program) ||
                hook_of(skeleton, program) == Hook::kNone ||
                (is_readiness_substitute(skeleton, program) && impl.kprobe_readiness))
                continue;
            if (auto ok = attach_hook(impl, program, again); !ok)
                return ok.error();
        }
    }
    return Done{};
}

// The same probe in softirq interrupts itself in process context (tcp_set_state() of one socket, then of
// another): those that fire there only date what the sweep finds anyway. A stack is evidence, and may be missed.
bool only_dates(const epaudit_bpf& skeleton, const bpf_program* program)
{
    const auto& p = skeleton.progs;
    return is_readiness_substitute(skeleton, program) || program == p.on_inet_sock_set_state ||
           program == p.on_ep_poll_callback || program == p.on_ep_poll_callback_kprobe || program == p.on_nap_exit;
}

bool has_nothing_to_do(const epaudit_bpf& skeleton, const bpf_program* program)
{
    const auto& p = skeleton.progs;
    return !skeleton.bss->facts.blocking_edges &&
           (program == p.on_sk_wait_data || program == p.on_sk_stream_wait_memory ||
            program == p.on_skb_wait_for_more_packets || program == p.on_inet_csk_accept);
}

}  // namespace epaudit
