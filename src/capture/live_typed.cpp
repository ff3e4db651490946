// SPDX-License-Identifier: Apache-2.0
// Typed loads: bpf/load.h calls a function that no kernel has where it means bpf_rdonly_cast(); here the
// kernel's own number for it is put in, after libbpf's relocations and before the verifier sees the program.
// libbpf offers that moment (prog_prepare_load_fn) only to owners of a section prefix, so the prefixes we use
// are ours, and what libbpf's own handlers do for them is done here as well.
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "bpf/typed.h"
#include "src/capture/live_impl.h"

namespace epaudit {
namespace {

struct Prefix {
    const char* section;
    const char* kernel_name;  // what stands before the hook's name in the kernel's BTF
    uint32_t kernel_kind;
    bpf_prog_type type;
    bpf_attach_type attach;
};

constexpr std::array<Prefix, 6> kPrefixes{{
    {"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF, BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP},
    {"fentry/", "", BTF_KIND_FUNC, BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY},
    {"fexit/", "", BTF_KIND_FUNC, BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT},
    {"iter/", "bpf_iter_", BTF_KIND_FUNC, BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER},
    {"kprobe/", nullptr, 0, BPF_PROG_TYPE_KPROBE, bpf_attach_type{}},
    {"syscall", nullptr, 0, BPF_PROG_TYPE_SYSCALL, bpf_attach_type{}},
}};

const btf* kernel_types = nullptr;  // libbpf's callbacks take no pointer of ours
int cast_id = 0;

int put_in_cast(bpf_program* program)
{
    const bpf_insn* code = bpf_program__insns(program);
    std::vector<bpf_insn> patched(code, code + bpf_program__insn_cnt(program));
    bool any = false;
    for (bpf_insn& instruction : patched) {
        if (instruction.code != (BPF_JMP | BPF_CALL) || instruction.src_reg != 0 ||
            instruction.imm != TYPED_POINTER_CALL)
            continue;
        instruction.src_reg = BPF_PSEUDO_KFUNC_CALL;
        instruction.imm = cast_id;
        instruction.off = 0;  // vmlinux
        any = true;
    }
    return any ? bpf_program__set_insns(program, patched.data(), patched.size()) : 0;
}

int prepare_load(bpf_program* program, bpf_prog_load_opts* options, long index)
{
    const Prefix& prefix = kPrefixes.at(static_cast<size_t>(index));
    if (prefix.kernel_name) {
        int id = btf__find_by_name_kind(kernel_types, (prefix.kernel_name + hook_name(program)).c_str(),
                                        prefix.kernel_kind);
        if (id < 0)
            return id;
        options->attach_btf_id = static_cast<__u32>(id);
    }
    if (prefix.type == BPF_PROG_TYPE_SYSCALL)
        options->prog_flags |= BPF_F_SLEEPABLE;  // there are no others
    return cast_id > 0 ? put_in_cast(program) : 0;
}

int attach(const bpf_program* program, long index, bpf_link** link)
{
    const Prefix& prefix = kPrefixes.at(static_cast<size_t>(index));
    if (!prefix.kernel_name)
        *link = bpf_program__attach_kprobe(program, false, hook_name(program).c_str());
    else if (prefix.attach == BPF_TRACE_ITER)
        *link = bpf_program__attach_iter(program, nullptr);
    else
        *link = bpf_program__attach_trace(program);
    return *link ? 0 : -errno;
}

}  // namespace

// Never unregistered: libbpf's programs point to their handler as long as they live.
static void register_handlers()
{
    static bool done = false;
    for (size_t i = 0; i < kPrefixes.size() && !done; i++) {
        LIBBPF_OPTS(libbpf_prog_handler_opts, options, .cookie = static_cast<long>(i),
                    .prog_prepare_load_fn = prepare_load, .prog_attach_fn = attach);
        libbpf_register_prog_handler(kPrefixes[i].section, kPrefixes[i].type, kPrefixes[i].attach, &options);
    }
    done = true;
}

KernelTypes::KernelTypes() : types_(btf__load_vmlinux_btf())
{
    if (!types_)
        return;
    register_handlers();
    kernel_types = types_;
    cast_id = btf__find_by_name_kind(types_, "bpf_rdonly_cast", BTF_KIND_FUNC);
}

KernelTypes::~KernelTypes()
{
    btf__free(types_);
    kernel_types = nullptr;
}

bool KernelTypes::have_cast() const { return cast_id > 0; }

}  // namespace epaudit
