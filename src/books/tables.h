// SPDX-License-Identifier: Apache-2.0
// The books in user space: the same ledger as in the kernel (bpf/ledger.h), kept in hash tables. Replay,
// the strace importer and every unit test post to it.
//
// In: postings, and what a kernel would know beside them (state, names, processes). Out: snapshots.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bpf/recorded.h"
#include "src/books/snapshot.h"

namespace epaudit {

inline uint64_t mix_hash(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    return value ^ value >> 33;
}

struct RegistrationHash {
    size_t operator()(const registration_key& k) const
    {
        return mix_hash(mix_hash(mix_hash(k.epoll) + k.file) + static_cast<uint32_t>(k.fd));
    }
};

struct IndexHash {
    size_t operator()(const index_key& k) const { return mix_hash(mix_hash(k.epoll) + k.data); }
};

struct SameRegistration {
    bool operator()(const registration_key& a, const registration_key& b) const
    {
        return a.epoll == b.epoll && a.file == b.file && a.fd == b.fd;
    }
};

struct SameIndex {
    bool operator()(const index_key& a, const index_key& b) const { return a.epoll == b.epoll && a.data == b.data; }
};

}  // namespace epaudit

// Named as bpf/ledger.h wants it. Rows keep their addresses while others come and go (node-based maps),
// which the ledger relies on as it does with BPF maps.
struct books {
    std::unordered_map<u64, file_row> files;
    std::unordered_map<u64, fault_row> faults;  // by file
    std::unordered_map<registration_key, registration_row, epaudit::RegistrationHash, epaudit::SameRegistration>
        registrations;
    std::unordered_map<registration_key, run_row, epaudit::RegistrationHash, epaudit::SameRegistration> runs;
    std::unordered_map<u64, epoll_row> epolls;
    std::unordered_map<u32, thread_row> threads;
    std::unordered_map<index_key, index_row, epaudit::IndexHash, epaudit::SameIndex> indexes;
    std::unordered_map<index_key, std::vector<registration_key>, epaudit::IndexHash, epaudit::SameIndex> members;
    std::array<u64, STAT_SLOTS> stats{};
    std::vector<epaudit::Entry> buried;
    std::set<std::tuple<u64, u64, s32>> gone;  // registrations of which the teller said that they died unseen
    u64 now = 0;
    bool seeded = true;  // false: registrations from before the beginning are missing, and nobody tells which
    bool keep_totals = false;
    std::vector<file_totals> ended_files;
    std::vector<registration_totals> ended_registrations;
};

namespace epaudit {

// Rows that one sweep of a recording showed.
struct Shown {
    std::vector<Entry> entries;
    std::map<uint64_t, epoll_row> epolls;
    std::map<uint32_t, thread_row> threads;
};

class Tables {
public:
    // Postings come in the order of their time. The events of one return precede its POSTING_RETURN and
    // carry its tid; events and returns of different threads may interleave.
    void apply(const posting& p);

    // For recordings (tables_recorded.cpp): one record of the kernel's, of those that are struct posting. Everything is
    // booked exactly as the kernel booked it, in the order of the records; nothing is derived.
    void apply_recorded(const posting& p);
    // What the sweep showed, as it is now: a file and a registration, an epoll instance or a thread. What has no row
    // here is left out.
    void show(const recorded_row& row, Shown& out) const;
    void show(const posting& p, Shown& out);
    Snapshot recorded_snapshot(uint64_t now, Shown shown);

    // Keeps the counts of rows that end, from now on, for whoever compares this account with another.
    void keep_totals() { books_.keep_totals = true; }
    // Those that ended, in that order, then those that are left.
    std::vector<file_totals> file_account() const;
    std::vector<registration_totals> registration_account() const;

    // Walks the books as bpf/sweep.bpf.c does: refreshes ages, keeps the rows that deserve a look.
    Snapshot snapshot(uint64_t now);

    // What the kernel knows of a file beside the postings. Postings that carry state update it.
    file_state& state(uint64_t file) { return states_[file]; }
    void set_name(uint64_t file, const socket_name& name) { names_[file] = name; }
    void set_process(const ProcessInfo& process) { processes_[process.pid] = process; }
    void forget_process(uint32_t pid) { processes_.erase(pid); }
    // False: no posting carries state (strace logs), so nothing may be concluded from it.
    void set_state_known(bool known) { state_known_ = known; }
    // False: there may be registrations from before the beginning. Their events are no loss of ours.
    void set_seeded(bool seeded) { books_.seeded = seeded; }
    // False: postings are in order, and how far apart is not known (logs without time stamps).
    void set_times_known(bool known) { times_known_ = known; }
    // For sources that learn late what a kernel would have said at once: what a file is, how long a wait may last.
    void set_kind(uint64_t file, uint8_t kind);
    void set_timeout(uint32_t tid, int32_t ms);
    // The file ended without a close that was posted (exit, exec). `epoll`: it was this epoll instance.
    void forget_file(uint64_t file, uint64_t epoll);
    // The file that an event with this data is about; 0 when that is no single one.
    uint64_t find_file(uint64_t epoll, uint64_t data) const;
    // The registrations one of which such an event may be about, by their data and masks.
    std::vector<registration_key> candidates(uint64_t epoll, uint64_t data, uint32_t events) const;
    // Overrides what is derived from the books: is this registration on the ready list?
    // What the sweep sees of a thread: kept from running (stopped, frozen), or not.
    void see_stopped(uint32_t tid, bool stopped, uint64_t now);
    void set_ready(const registration_key& key, bool ready) { ready_[identity(key)] = ready; }
    // The registration died without a DEL or a close that we saw.
    void set_gone(const registration_key& key) { books_.gone.insert(identity(key)); }

    const file_row* file(uint64_t id) const;
    fault_row fault(uint64_t file) const;  // zeros: nothing went wrong with it
    const registration_row* registration(const registration_key& key) const;
    run_row runs(const registration_key& key) const;  // zeros: it has had no run of futile returns
    const epoll_row* epoll(uint64_t id) const;
    const thread_row* thread(uint32_t tid) const;
    uint64_t stat(uint32_t slot) const { return books_.stats.at(slot); }
    size_t files() const { return books_.files.size(); }
    size_t registrations() const { return books_.registrations.size(); }
    size_t indexes() const { return books_.indexes.size(); }

private:
    using Identity = std::tuple<u64, u64, s32>;
    using Registrations = std::unordered_map<uint64_t, std::vector<registration_key>>;

    // The return that a thread is in the middle of.
    struct Turn {
        ledger_batch batch{};
        bool begun = false;
        std::vector<registration_key> delivered;
    };

    static Identity identity(const registration_key& key) { return {key.epoll, key.file, key.fd}; }
    void note_state(const posting& p);
    void dispatch(const posting& p);
    void dispatch_io(const posting& p);
    void deliver(const posting& p);
    bool place(const posting& p, registration_key& key) const;
    void deliver_to(posting event, const registration_key& key, Turn& turn);
    void deliver_to_one_of(const posting& p, const std::vector<registration_key>& all, epoll_row* e, Turn& turn);
    void finish_return(const posting& p);
    void create_epoll(const posting& p);
    void close(const posting& p);
    void forget_epoll(uint64_t epoll);
    void sweep_file(uint64_t id, file_row& f, const Registrations& by_file, Snapshot& out);
    void drop_dead_registrations();
    void dispatch_recorded(const posting& p);
    void recorded_io(const posting& p);
    void keep_early(const posting& p);
    void book_early(const posting& added);
    void recorded_waits(const posting& p);
    bool on_ready_list(const registration_key& key, const registration_row& r, const file_state& s) const;

    books books_;
    std::unordered_map<uint64_t, file_state> states_;
    std::unordered_map<uint64_t, socket_name> names_;
    std::map<uint32_t, ProcessInfo> processes_;
    std::map<Identity, bool> ready_;
    std::unordered_map<uint32_t, Turn> turns_;
    std::vector<posting> early_;  // calls on files whose ADD has not been recorded yet
    uint64_t began_ = 0;
    bool state_known_ = true;
    bool times_known_ = true;
    bool recorded_ = false;  // the sweep's own reading stands in for states_
};

}  // namespace epaudit
