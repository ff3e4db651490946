// SPDX-License-Identifier: Apache-2.0
// Inside of live capture; nobody else includes this.
#pragma once

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/capture/live.h"
#include "src/capture/live_record.h"
#include "src/capture/live_twins.h"
#include "src/capture/sink.h"
#include "src/support/descriptor.h"
#include "src/symbols/stack_book.h"
#include "src/workload/workloads.h"

#include "epaudit.skel.h"

namespace epaudit {

struct KernelWords;  // live_preempt.h

struct LinkDeleter {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

struct SkeletonDeleter {
    void operator()(epaudit_bpf* skeleton) const { epaudit_bpf__destroy(skeleton); }
};

// A process that watch() put into the kernel's table. Mostly the exit hook takes it out again; but one that was about to
// end may have passed that hook already.
struct Explicit {
    ProcessHandle process;
    uint64_t seen_at;  // of its row: a later one with the same number has another
};

// Looks for sockets that no epoll holds (live_unregistered.cpp).
struct UnregisteredLooks {
    Link sockets, holders;
    uint64_t next_at = 0;
    std::set<uint64_t> early;  // inodes of those that were there at attach
    std::set<uint64_t> shown;  // addresses of those of the last look
};

// What the last look before a gap saw (live_gap.cpp).
struct BeforeGap {
    std::vector<Entry> entries;
    std::map<uint32_t, thread_row> threads;
};

// Those that are walked at each sweep.
enum class Table : size_t { kFiles, kRegistrations, kEpolls, kThreads };

// The keys of their table as they were listed last.
struct KnownFiles {
    std::vector<uint64_t> keys;
    std::optional<uint32_t> changes;  // file_changes (bpf/tables.h) before; none: not all of them are here
};

struct LiveCapture::Impl {
    // Destroyed in reverse order: ring, links, then programs and maps.
    std::unique_ptr<epaudit_bpf, SkeletonDeleter> skeleton;
    std::vector<Link> links;
    std::vector<Link> lasting_links;                  // of hooks that stay attached in gaps (live_gap.cpp)
    std::array<Link, 4> iterators;                    // by Table; none where they are refused
    std::unique_ptr<ring_buffer, RingDeleter> swept;  // then walks hand over through this,
    Sink* swept_to = nullptr;                         // to there
    size_t swept_late = 0;                            // entries that came so, at the end of what an iterator wrote
    std::string swept_text;                           // of the newest walk through a small table
    std::string keys_listed, rows_listed;             // by walks in pieces: room that is used again
    KnownFiles known_files;                           // by walks in pieces
    std::unique_ptr<ring_buffer, RingDeleter> ring;
    std::vector<Entry> buried;
    uint64_t buried_lost = 0;
    std::shared_ptr<StackBook> stacks;  // none: --stack-bytes 0
    struct PythonSearch {
        uint64_t due = 0;  // CLOCK_MONOTONIC ns
        unsigned tries = 0;
    };
    std::map<uint32_t, PythonSearch> python_searches;  // by pid
    std::unique_ptr<ring_buffer, RingDeleter> stack_ring;
    std::unique_ptr<LiveRecorder> recorder;  // none: nothing is recorded
    std::vector<posting> seeded_waits;       // for its beginning
    UnregisteredLooks unregistered;
    Link naps;  // on_nap_exit, while a stall waits to be explained
    std::map<uint32_t, ProcessInfo> processes;
    std::map<uint32_t, uint64_t> started;  // of these, in ticks: a later one with the number is somebody else
    std::vector<Explicit> asked_for;       // given to watch(), and not yet known to have ended
    uint64_t processes_full = 0;           // given to watch(), and there was no room
    Workloads workloads;
    uint32_t programs_32bit = 0;  // of these: nothing of them is posted
    uint64_t began = 0;
    uint32_t suspicious_then = 0;
    uint32_t sweeps = 0;
    size_t epolls_then = 0;         // at the last sweep
    size_t entries_then = 0;        // likewise
    uint64_t unexplained_then = 0;  // events that no registration explained yet, likewise
    bool trampolines = false;
    bool kprobe_readiness = false;
    bool timeout_in_ms = false;
    std::string why_not_trampolines;
    bool trampolines_are_dangerous = false;      // refused by us, not by the kernel
    std::string why_not_iterators;               // empty: iterators walk the tables (live_walk.h)
    std::map<std::string, std::string> refused;  // program -> why it is not loaded, though it belongs to the set
    std::vector<std::string> attached;
    std::string missing;                                      // hooks this kernel does not have
    TwinCounts twins_then;                                    // when their account began
    uint64_t missed_before_gap = 0, stood_in_before_gap = 0;  // of accounts that ended with a window
    bool paused = false;                                      // the hooks are detached
    BeforeGap before_gap;
    Link readiness_kprobe;  // stays in gaps, where it finds no rows: who gave up CAP_PERFMON cannot attach it again
    bool has_readiness = true;
    bool has_wakeups = true;
    Descriptor statistics;             // open: the kernel adds up how long programs run
    std::vector<Entry> spare_entries;  // what LiveCapture::reuse() took
};

constexpr uint32_t kMaxEpolls = 4096;

// Reads everything an iterator writes; false with errno set.
bool read_iterator(const bpf_link* link, std::string& out);
// `after_each`: read.
bool read_iterator(const bpf_link* link, Sink& out, const std::function<void()>& after_each = nullptr);

// Fills the table system call number -> call_class for this architecture.
void fill_call_classes(unsigned char (&table)[CALL_TABLE]);

// Everything open() does, on an Impl that survives failure: what was refused stays on record.
Result<> load_and_attach(LiveCapture::Impl& impl, const LiveOptions& options);
Sight sight_of(const LiveCapture::Impl& impl);

// To which hook set a program belongs; iterators and the last-resort kprobe to none.
enum class Hook { kNone, kTracepoint, kTrampoline, kBoth };
Hook hook_of(const epaudit_bpf& skeleton, const bpf_program* program);

// The function or tracepoint of its section: "fexit/NAME", "tp_btf/NAME".
std::string hook_name(const bpf_program* program);

// The running kernel's BTF. Must exist, once, before the skeleton is opened and until it is loaded: our section
// handlers (live_typed.cpp) look hooks up in it.
class KernelTypes {
public:
    KernelTypes();
    ~KernelTypes();
    KernelTypes(const KernelTypes&) = delete;
    KernelTypes& operator=(const KernelTypes&) = delete;
    const btf* get() const { return types_; }  // nullptr: this kernel has no BTF
    bool have_cast() const;                    // bpf_rdonly_cast(): typed loads can be used

private:
    btf* types_;
};

// The smallest program there is, on the function that matters: does the kernel take it? 0 or -errno.
int try_load(bpf_attach_type type, const btf* kernel, const char* function);

// Decides which programs are loaded; attaches them once they are.
Result<> choose_hooks(LiveCapture::Impl& impl, const KernelTypes& kernel, HookSet wanted);
Result<> attach_hooks(LiveCapture::Impl& impl, bool again = false);
// Those that do not stay in gaps; the last that was attached goes first.
void detach_hooks(LiveCapture::Impl& impl);

// Probes that fire in softirq as well, and only date what the sweep finds anyway.
bool only_dates(const epaudit_bpf& skeleton, const bpf_program* program);

// Probes where calls sleep, before any edge-triggered file without O_NONBLOCK was seen.
bool has_nothing_to_do(const epaudit_bpf& skeleton, const bpf_program* program);

// Second and third programs on the same hooks, for kernels that preempt probes: bpf/twins.h.
bool is_twin(const bpf_program* program);  // or a third
void choose_twins(LiveCapture::Impl& impl, const KernelWords& kernel, const btf* types);

// Call once all hooks are on: while only one of a pair is, its numbers say nothing.
void begin_twins_account(LiveCapture::Impl& impl);

// Call it before hooks are detached for a while: what was missed until then is kept.
void note_skipped_before_gap(LiveCapture::Impl& impl);

// Fills in what the kernel skipped; `stats` has just been read.
void count_skipped_runs(const LiveCapture::Impl& impl, std::array<uint64_t, STAT_SLOTS>& stats);
// Those programs without a twin of which the kernel skipped runs: "on_x 2, on_y 1".
std::string skipped_programs(const epaudit_bpf& skeleton);
void read_stats(const bpf_map* map, std::array<uint64_t, STAT_SLOTS>& out);

// It has begun, become another program, or is attached to; looked for in so many ns for the first time.
void begin_python_search(LiveCapture::Impl& impl, uint32_t pid, uint64_t in_ns);
// A stack without Python frames.
void python_stack_arrived(LiveCapture::Impl& impl, uint32_t pid);
// How large a slice of stack the probes take, before loading; the ring that brings them, after.
void size_stacks(epaudit_bpf& skeleton, uint32_t stack_bytes);
Result<> open_stacks(LiveCapture::Impl& impl);
Result<> open_buried(LiveCapture::Impl& impl);
// Hook set `trampoline`: attaches the program that sees blocking calls return, while one is wanted.
void follow_naps(LiveCapture::Impl& impl, const Snapshot& books);

// Learns from our own descriptors how this kernel's file kinds and epoll wait-queue entries look.
Result<> learn_facts(epaudit_bpf& skeleton);

// Errors of whoever loads programs: no BTF, missing capabilities, or what libbpf said.
Error no_types_error();
Error load_error(int error);
Result<> check_capabilities();
// Process numbers are those of our own pid namespace (bpf/ids.h): is it the first, and does /proc show it? Before loading.
Result<> choose_numbers(epaudit_bpf& skeleton);

// What libbpf said last, for an error message.
std::string last_libbpf_message();
void capture_libbpf_messages(bool verbose);

ProcessInfo read_process(uint32_t pid);
// As it is now; what has ended stays as it was, and is forgotten once nobody speaks of it any more.
// Fills in Snapshot::away.
void ask_away(Snapshot& books);
// Fills in Snapshot::unregistered, now and then; what was there at attach is marked.
Result<> attach_unregistered(LiveCapture::Impl& impl);
void look_for_unregistered(LiveCapture::Impl& impl, Snapshot& books);
void note_early_unregistered(LiveCapture::Impl& impl, const std::set<uint32_t>& whose);  // empty: everybody's
void refresh_processes(LiveCapture::Impl& impl, const Snapshot& books);
// Capabilities that looks need once everything is attached.
uint64_t kept_for_looks();
// Removes rows of processes that ended unseen.
void forget_ended(LiveCapture::Impl& impl);

// Those in a hash map now. When the key at hand goes meanwhile the kernel begins anew: nobody is named twice, and in
// whatever storm there is an end.
template <typename Key>
std::set<Key> keys_of(const bpf_map* map)
{
    std::set<Key> keys;
    Key key{};
    uint64_t steps = 4ULL * bpf_map__max_entries(map);
    const void* from = nullptr;
    while (steps-- && bpf_map_get_next_key(bpf_map__fd(map), from, &key) == 0) {
        keys.insert(key);
        from = &key;
    }
    return keys;
}

}  // namespace epaudit
