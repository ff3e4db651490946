// SPDX-License-Identifier: Apache-2.0
// Live capture: the kernel's books, loaded, attached, seeded and swept. The only part of the program that
// knows BPF; libbpf stays behind this header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/books/snapshot.h"
#include "src/finding/coverage.h"
#include "src/finding/rule_info.h"
#include "src/support/process.h"
#include "src/support/result.h"

namespace epaudit {

// Two questions, each answered by trying to load: system calls and epoll by trampolines, else by
// tracepoints.
enum class HookSet { kAuto, kTrampoline, kTracepoint };

// What became of one BPF program under a hook set.
struct ProgramReport {
    std::string name;     // on_sys_exit
    std::string section;  // tp_btf/sys_exit
    bool attached = false;
    std::string reason;  // why not
};

struct HookReport {
    std::string set;
    bool usable = false;
    std::string reason;      // why not
    bool dangerous = false;  // refused by us, not by the kernel
    std::string hint;
    std::vector<ProgramReport> programs;  // those that belong to the set
    std::string why_not_iterators;  // programs run from user space walk the tables, because ...; empty: iterators do
    Sight sight;
};

struct LiveOptions {
    HookSet hooks = HookSet::kAuto;
    uint32_t max_fds = 65536;      // rows for files and registrations; what does not fit is counted
    uint32_t stack_bytes = 16384;  // of user stack kept with a call that is evidence; 0: no stacks
    uint32_t record_ring = 0;      // bytes of the ring through which a recording comes, a power of two; 0: none is made
    bool walk_in_pieces = false;   // sweep as where the kernel refuses iterators over tables
    bool verbose = false;          // libbpf's own messages on stderr
};

// What a recording has become.
struct RecordingSummary {
    uint64_t records = 0;
    uint64_t bytes = 0;   // of the file
    uint64_t lost = 0;    // records that found no room in the ring
    std::string trouble;  // why the file is not whole; empty: it is
};

class RecordingWriter;
struct RecordingHeader;

class LiveCapture {
public:
    // Loads and attaches all probes; nothing is watched yet. The error names what is missing.
    static Result<std::unique_ptr<LiveCapture>> open(const LiveOptions& options);
    ~LiveCapture();  // detaches and unloads: nothing stays in the kernel
    LiveCapture(const LiveCapture&) = delete;
    LiveCapture& operator=(const LiveCapture&) = delete;

    // Loads and attaches a hook set, says how that went, and unloads it.
    static HookReport examine(HookSet hooks);

    // From now on calls of this process (all its threads) are posted; with `follow`, of its future children. False: it has
    // ended, and nobody is watched who may have its number now.
    Result<bool> watch(const ProcessHandle& process, bool follow);
    // Its name and executable changed (exec), or are wanted before it can end.
    void learn_process(uint32_t pid);
    // Books what existed before: registrations of all watched processes, threads already waiting.
    // Returns notes on what is known to be invisible.
    Result<std::vector<std::string>> seed(const std::vector<uint32_t>& pids);
    // As watch() and seed(), while others are watched already.
    struct Newcomers {
        std::vector<uint32_t> pids;  // without those that have ended
        std::vector<std::string> notes;
    };
    Result<Newcomers> watch_late(const std::vector<ProcessHandle>& processes, bool follow);
    // What it does is not looked at any more. What the books hold of it stays until its files are closed.
    void unwatch(uint32_t pid);
    // All that existed before is in the books (seed() says so itself): an event that belongs to nothing there is lost.
    void seeded();

    // Detaches the hooks and empties the books; `last`: the look just before. What it costs is nothing, until:
    void pause(const Snapshot& last);
    // Attaches them again, and books what exists now.
    Result<> resume();

    // Call it when everything is loaded, attached and open: of all privileges those stay that looks need, and `also`.
    void give_up_privileges(uint64_t also);

    // Reads the books. Costs one walk of the kernel's rows, and copies only those that deserve a look.
    // The counters (Snapshot::stats) need a system call each and no rule looks at them: on request.
    Result<Snapshot> sweep(bool counters);
    // Entries that nobody needs any more: the next sweep writes where they stand. Of thousands of connections they are tens
    // of megabytes, and so much new memory at each look costs as much as half of the rules.
    void reuse(std::vector<Entry>&& entries);
    // Takes over what the kernel keeps for a moment only: the last words of registrations, and user stacks, which are
    // unwound while their process lives. Also part of a sweep.
    void collect();
    // Readable when a watched process has become another program, until collect().
    int exec_fd() const;
    // Whether there is Python in those that began or changed lately; call it when searches_in_ms() have passed.
    void search_pythons();
    int searches_in_ms() const;
    // What kept stacks from being known, and which probes the kernel skipped. Call it at the end.
    std::vector<std::string> notes() const;
    // A probe saw something since the last sweep that deserves one now.
    bool suspicious() const;
    // Moves when a process of this number began, became another program or ended, and now and then without.
    uint32_t changes_of(uint32_t pid) const;
    // Processes still watched.
    std::vector<uint32_t> watched();
    // The kernel adds up how long the probes run, or not any more. False: it does not (it wants CAP_SYS_ADMIN, and 5.8).
    bool measure(bool on);
    // So far, of all of them, ns. It grows only while it is measured (by whomever).
    uint64_t probe_ns() const;

    // With LiveOptions::record_ring: from now on a thread writes what the kernel books, and what the ring holds already.
    void begin_recording(std::unique_ptr<RecordingWriter> writer, RecordingHeader header);
    // Detaches the hooks, and writes the rest. Nothing is observed any more.
    RecordingSummary end_recording(const std::vector<std::string>& notes);

    Sight sight() const;

    struct Impl;  // live_impl.h

private:
    explicit LiveCapture(std::unique_ptr<Impl> impl);
    void collect_stacks();
    Result<> seed_again(const std::vector<uint32_t>& pids);
    std::unique_ptr<Impl> impl_;
};

}  // namespace epaudit
