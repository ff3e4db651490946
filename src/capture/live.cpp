// SPDX-License-Identifier: Apache-2.0
// Life of the probes: open, load, learn, attach; watch; unload.
#include "src/capture/live.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "src/capture/live_walk.h"
#include "src/support/capabilities.h"
#include "src/support/clock.h"
#include "src/support/descriptor_limit.h"
#include "src/support/proc.h"

namespace epaudit {
namespace {

std::string libbpf_said;
bool libbpf_verbose = false;

int on_libbpf_message(libbpf_print_level level, const char* format, va_list arguments)
{
    if (level == LIBBPF_DEBUG)
        return 0;
    char line[512];
    if (libbpf_verbose) {  // a verifier's log can be of any length
        va_list again;
        va_copy(again, arguments);
        vfprintf(stderr, format, again);
        va_end(again);
    }
    vsnprintf(line, sizeof(line), format, arguments);
    // The first warning names the cause, the others what follows from it.
    if (level == LIBBPF_WARN && libbpf_said.empty() && strncmp(line, "libbpf: ", 8) == 0)
        libbpf_said = std::string(line + 8, strcspn(line + 8, "\n"));
    return 0;
}

std::string missing_capabilities()
{
    Capabilities own = Capabilities::own();
    if (own.can_observe())
        return {};
    std::string missing;
    if (!own.has(kCapBpf))
        missing += "CAP_BPF";
    if (!own.has(kCapPerfmon))
        missing += missing.empty() ? "CAP_PERFMON" : " and CAP_PERFMON";
    return missing;
}

}  // namespace

Error no_types_error()
{
    return observe_error("this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                         "a kernel built with CONFIG_DEBUG_INFO_BTF is needed (Debian 11 and later have it)");
}

Error load_error(int error)
{
    std::string missing = missing_capabilities();
    if (!missing.empty())
        return observe_error(fmt::format("cannot load BPF programs: {} missing", missing),
                             "run it as root (sudo), or give it CAP_BPF and CAP_PERFMON");
    if (error == EPERM && in_user_namespace())
        return observe_error("cannot load BPF programs in a user namespace: CAP_BPF counts only outside of all of them",
                             "run it on the host as root (sudo), or in a container that does not map its users");
    rlimit locked{};
    getrlimit(RLIMIT_MEMLOCK, &locked);
    bool refused_program = libbpf_said.rfind("prog '", 0) == 0;                  // then the maps were made
    if (error == EPERM && !refused_program && locked.rlim_cur != RLIM_INFINITY)  // before 5.11 maps count against it
        return observe_error("cannot create BPF maps: the limit of locked memory is too low",
                             "ulimit -l unlimited, LimitMEMLOCK=infinity in a unit, or CAP_SYS_RESOURCE");
    return observe_error(fmt::format("cannot load BPF programs: {}", strerror(error)),
                         fmt::format("libbpf says: {} (--verbose shows all)", libbpf_said));
}

Result<> check_capabilities()
{
    if (missing_capabilities().empty())
        return Done{};
    return load_error(EPERM);
}

namespace {

void size_tables(epaudit_bpf& skeleton, uint32_t max_fds)
{
    bpf_map__set_max_entries(skeleton.maps.file_rows, max_fds);
    bpf_map__set_max_entries(skeleton.maps.fault_rows, max_fds);
    bpf_map__set_max_entries(skeleton.maps.registration_rows, max_fds);
    bpf_map__set_max_entries(skeleton.maps.run_rows, max_fds);
    bpf_map__set_max_entries(skeleton.maps.index_rows, max_fds);
    bpf_map__set_max_entries(skeleton.maps.epoll_rows, kMaxEpolls);
    bpf_map__set_max_entries(skeleton.maps.thread_rows, 16384);
    bpf_map__set_max_entries(skeleton.maps.process_rows, 16384);
}

}  // namespace

std::string last_libbpf_message() { return libbpf_said; }

void capture_libbpf_messages(bool verbose)
{
    libbpf_verbose = verbose;
    libbpf_set_print(on_libbpf_message);
}

LiveCapture::LiveCapture(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LiveCapture::~LiveCapture() = default;

namespace {

// Opens, decides which programs are wanted, and loads them; 0, or -errno with libbpf_said filled in.
int load_once(LiveCapture::Impl& impl, const LiveOptions& options, bool typed_loads, Result<>& chosen)
{
    libbpf_said.clear();
    KernelTypes kernel;
    if (!kernel.get())
        chosen = no_types_error();
    if (!chosen)
        return 0;
    impl.skeleton.reset(epaudit_bpf__open());
    if (!impl.skeleton)
        return -errno;
    epaudit_bpf& skeleton = *impl.skeleton;
    size_tables(skeleton, options.max_fds);
    size_stacks(skeleton, options.stack_bytes);
    size_recording(skeleton, options.record_ring);
    fill_call_classes(reinterpret_cast<unsigned char(&)[CALL_TABLE]>(skeleton.rodata->call_classes));
    choose_walks(impl, kernel.get(), options.walk_in_pieces);
    chosen = choose_numbers(skeleton);
    if (chosen)
        chosen = choose_hooks(impl, kernel, options.hooks);
    skeleton.rodata->typed_loads = typed_loads && kernel.have_cast();
    return chosen ? epaudit_bpf__load(&skeleton) : 0;
}

// Verifiers differ in what they make of a typed pointer; every one takes bpf_probe_read_kernel().
int load(LiveCapture::Impl& impl, const LiveOptions& options, Result<>& chosen)
{
    int error = load_once(impl, options, true, chosen);
    if (!error || !impl.skeleton || !impl.skeleton->rodata->typed_loads)
        return error;
    return load_once(impl, options, false, chosen);
}

}  // namespace

Result<> load_and_attach(LiveCapture::Impl& impl, const LiveOptions& options)
{
    capture_libbpf_messages(options.verbose);
    if (auto allowed = check_capabilities(); !allowed)
        return allowed.error();
    if (const DescriptorRoom room = raise_descriptor_limit(); !room.enough)
        return observe_error(fmt::format("no more than {} descriptors may be open here: too few to watch", room.most),
                             "ulimit -n 1024, or LimitNOFILE=1024 in its unit");
    Result<> chosen = Done{};
    int error = load(impl, options, chosen);
    if (!chosen)
        return chosen.error();
    if (error)
        return load_error(-error);
    epaudit_bpf& skeleton = *impl.skeleton;
    skeleton.bss->facts.timeout_in_ms = impl.timeout_in_ms;
    if (auto learned = learn_facts(skeleton); !learned)
        return learned.error();

    for (auto* open : {open_buried, open_stacks})
        if (auto opened = open(impl); !opened)
            return opened.error();
    if (auto attached = attach_hooks(impl); !attached)
        return attached.error();
    for (auto* attach : {attach_walks, attach_unregistered})
        if (auto attached = attach(impl); !attached)
            return attached.error();
    begin_twins_account(impl);
    impl.began = monotonic_ns();
    return Done{};
}

Result<std::unique_ptr<LiveCapture>> LiveCapture::open(const LiveOptions& options)
{
    auto impl = std::make_unique<Impl>();
    if (auto ok = load_and_attach(*impl, options); !ok)
        return ok.error();
    return std::unique_ptr<LiveCapture>(new LiveCapture(std::move(impl)));
}

bool LiveCapture::suspicious() const { return impl_->skeleton->bss->facts.suspicious != impl_->suspicious_then; }

Sight sight_of(const LiveCapture::Impl& impl)
{
    Sight sight;
    sight.hooks = impl.trampolines ? "trampoline" : impl.kprobe_readiness ? "tracepoint+kprobe" : "tracepoint";
    sight.readiness = impl.has_readiness;
    sight.wakeups = impl.has_wakeups;
    sight.why = impl.missing;
    sight.choice = impl.why_not_trampolines;
    return sight;
}

Sight LiveCapture::sight() const { return sight_of(*impl_); }

}  // namespace epaudit
