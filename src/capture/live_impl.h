// SPDX-License-Identifier: Apache-2.0
// Inside of live capture; nobody else includes this.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/capture/live.h"

#include "epaudit.skel.h"

namespace epaudit {

struct LinkDeleter {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

struct SkeletonDeleter {
    void operator()(epaudit_bpf* skeleton) const { epaudit_bpf__destroy(skeleton); }
};

struct RingDeleter {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

struct LiveCapture::Impl {
    // Destroyed in reverse order: ring, links, then programs and maps.
    std::unique_ptr<epaudit_bpf, SkeletonDeleter> skeleton;
    std::vector<Link> links;
    Link sweep;
    Link sweep_registrations;
    std::unique_ptr<ring_buffer, RingDeleter> ring;
    std::vector<Entry> buried;
    std::map<uint32_t, ProcessInfo> processes;
    uint64_t began = 0;
    uint32_t suspicious_then = 0;
    uint32_t sweeps = 0;
    bool trampolines = false;
    bool kprobe_readiness = false;
    bool timeout_in_ms = false;
    std::string why_not_trampolines;
    std::map<std::string, std::string> refused;  // program -> why it is not loaded, though it belongs to the set
    std::vector<std::string> attached;
    std::string missing;  // hooks this kernel does not have
    bool has_readiness = true;
    bool has_wakeups = true;
};

// Reads everything an iterator writes; false with errno set.
bool read_iterator(const bpf_link* link, std::string& out);

// Fills the table system call number -> call_class for this architecture.
void fill_call_classes(unsigned char (&table)[CALL_TABLE]);

// Everything open() does, on an Impl that survives failure: what was refused stays on record.
Result<> load_and_attach(LiveCapture::Impl& impl, const LiveOptions& options);
Sight sight_of(const LiveCapture::Impl& impl);

// To which hook set a program belongs; iterators and the last-resort kprobe to none.
enum class Hook { kNone, kTracepoint, kTrampoline, kBoth };
Hook hook_of(const epaudit_bpf& skeleton, const bpf_program* program);

// Decides which programs are loaded; attaches them once they are.
Result<> choose_hooks(LiveCapture::Impl& impl, HookSet wanted);
Result<> attach_hooks(LiveCapture::Impl& impl);

// Runs that the kernel skipped because the program was already running on that CPU.
void count_skipped_runs(const epaudit_bpf& skeleton, std::array<uint64_t, STAT_SLOTS>& stats);

// Learns from our own descriptors how this kernel's file kinds and epoll wait-queue entries look.
Result<> learn_facts(epaudit_bpf& skeleton);

// What libbpf said last, for an error message.
std::string last_libbpf_message();
void capture_libbpf_messages(bool verbose);

ProcessInfo read_process(uint32_t pid);
RunState read_run_state(uint32_t pid);

}  // namespace epaudit
