// SPDX-License-Identifier: Apache-2.0
// Reading the books: the sweep's records, the small tables, the counters.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <numeric>

#include "src/capture/live_impl.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

// Dead registrations beside the newest one of their file are rare, and so are epolls that die without close();
// looking for them once a while is enough, unless children come and go by the hundred.
constexpr uint32_t kSweepsPerCleaning = 10;
constexpr size_t kManyEpolls = kMaxEpolls / 16;

// A small table, row by row. Rows may come and go meanwhile; a key that vanished restarts the kernel's
// walk, so the number of steps is bounded.
template <typename Key, typename Row>
void read_table(const bpf_map* map, std::map<Key, Row>& out)
{
    int fd = bpf_map__fd(map);
    Key key{};
    uint32_t steps = bpf_map__max_entries(map);
    for (int error = bpf_map_get_next_key(fd, nullptr, &key); !error && steps; steps--) {
        Row row{};
        if (bpf_map_lookup_elem(fd, &key, &row) == 0)
            out[key] = row;
        error = bpf_map_get_next_key(fd, &key, &key);
    }
}

void read_records(const std::string& raw, std::vector<Entry>& out)
{
    for (size_t at = 0; at + sizeof(sweep_record) <= raw.size(); at += sizeof(sweep_record)) {
        out.emplace_back();
        memcpy(&out.back(), raw.data() + at, sizeof(sweep_record));
    }
}

int on_buried(void* context, void* data, size_t size)
{
    auto& out = *static_cast<std::vector<Entry>*>(context);
    if (size < sizeof(sweep_record))
        return 0;
    out.emplace_back();
    memcpy(&out.back(), data, sizeof(sweep_record));
    return 0;
}

}  // namespace

void read_stats(const bpf_map* map, std::array<uint64_t, STAT_SLOTS>& out)
{
    static const int cpus = libbpf_num_possible_cpus();
    std::vector<uint64_t> values(static_cast<size_t>(cpus));
    for (uint32_t slot = 0; slot < STAT_SLOTS; slot++) {
        if (bpf_map_lookup_elem(bpf_map__fd(map), &slot, values.data()))
            continue;
        out[slot] = 0;
        for (uint64_t value : values)
            out[slot] += value;
    }
    out[STAT_POSTINGS] = std::accumulate(out.begin() + STAT_CALLS, out.begin() + STAT_CALLS + POSTING_KINDS, 0ULL);
}

Result<Snapshot> LiveCapture::sweep(bool counters)
{
    Impl& impl = *impl_;
    Snapshot books;
    books.began = impl.began;
    impl.suspicious_then = impl.skeleton->bss->facts.suspicious;
    counters = counters || (impl.recorder && impl.recorder->wants_counters());
    collect_stacks();
    books.call_sites = impl.stacks;
    std::string raw;
    bool clean = impl.sweeps++ % kSweepsPerCleaning == 0 || impl.epolls_then > kManyEpolls;
    if (clean && !read_iterator(impl.sweep_registrations.get(), raw))
        return observe_error(fmt::format("cannot walk the registrations: {}", strerror(errno)));
    if (!read_iterator(impl.sweep.get(), raw))
        return observe_error(fmt::format("cannot walk the books: {}", strerror(errno)));
    books.time = monotonic_ns();
    read_records(raw, books.entries);
    read_table(impl.skeleton->maps.epoll_rows, books.epolls);
    if (clean && !read_iterator(impl.sweep_epolls.get(), raw)) // after they have been read: a last look at the dead
        return observe_error(fmt::format("cannot walk the epoll instances: {}", strerror(errno)));
    read_table(impl.skeleton->maps.thread_rows, books.threads);
    impl.epolls_then = books.epolls.size();
    follow_naps(impl, books);
    if (counters) {
        read_stats(impl.skeleton->maps.stats, books.stats);
        count_skipped_runs(impl, books.stats);
    }
    if (!impl.ring)
        impl.ring.reset(ring_buffer__new(bpf_map__fd(impl.skeleton->maps.buried), on_buried, &impl.buried, nullptr));
    if (impl.ring)
        ring_buffer__consume(impl.ring.get());
    books.buried = std::move(impl.buried);
    impl.buried.clear();

    auto know = [&](uint32_t pid) {
        if (pid && !impl.processes.count(pid))
            impl.processes[pid] = read_process(pid);
    };
    for (const auto& [id, row] : books.epolls)
        for (uint32_t pid : {row.tgid, row.foreign_tgid, row.foreign_owner, row.leaked_tgid})
            know(pid);
    for (const Entry& entry : books.entries)
        know(entry.file.tgid);
    for (auto& [pid, info] : impl.processes) {
        ProcessInfo now = read_process(pid); // anew each time: exec changes comm and exe
        if (now.state == RunState::kGone) {
            info.state = RunState::kGone;
            continue;
        }
        if (now.exe.empty()) // exit_mm() takes it away while the state still says running
            now.exe = std::move(info.exe);
        info = std::move(now);
    }
    books.processes = impl.processes;
    if (impl.recorder)
        impl.recorder->look(books, counters, impl.stacks.get());
    return books;
}

namespace {

struct StatName {
    ledger_stat stat;
    const char* name;
};

// STAT_UNATTRIBUTED is no loss: data shared by several registrations is legal.
constexpr StatName kLosses[] = {
    {STAT_FILES_FULL, "files_full"},
    {STAT_REGISTRATIONS_FULL, "registrations_full"},
    {STAT_EPOLLS_FULL, "epolls_full"},
    {STAT_THREADS_FULL, "threads_full"},
    {STAT_INDEX_FULL, "index_full"},
    {STAT_PROCESSES_FULL, "processes_full"},
    {STAT_EVENTS_UNREAD, "events_unreadable"},
    {STAT_EVENTS_BEYOND, "returns_with_more_events_than_looked_at"},
    {STAT_COMPAT_CALLS, "calls_of_32_bit_code"},
    {STAT_CHAIN_BEYOND, "files_in_more_epolls_than_looked_at"},
    {STAT_MESSAGES_BEYOND, "last_words_lost"},
    {STAT_RETURNS_MISSED, "returns_of_epoll_wait_missed"},
    {STAT_RUNS_SKIPPED, "probe_runs_skipped_by_the_kernel"},
};

constexpr const char* kCallNames[] = {
    "none",     "epoll_ctl", "epoll_ctl", "epoll_ctl", "wait",  "epoll_wait", "event",        "read",     "write",   "accept",
    "connect",  "shutdown",  "close",     "dup",       "timerfd_settime", "getsockopt", "ioctl", "ready", "woken", "peer_closed",
    "futex",    "errqueue",  "epoll_create", "seeded", "fcntl", "fork",       "exec",         "exit",     "blocking_call",
    "io_uring_enter", "blocked", "overlap",
};
static_assert(std::size(kCallNames) == POSTING_KINDS);

}  // namespace

std::vector<std::pair<std::string, uint64_t>> losses(const Snapshot& books)
{
    std::vector<std::pair<std::string, uint64_t>> out;
    for (const StatName& loss : kLosses)
        if (books.stats[loss.stat])
            out.emplace_back(loss.name, books.stats[loss.stat]);
    return out;
}

std::vector<std::pair<std::string, uint64_t>> calls(const Snapshot& books)
{
    std::vector<std::pair<std::string, uint64_t>> out;
    for (int kind = 0; kind < POSTING_KINDS; kind++)
        if (books.stats[static_cast<size_t>(STAT_CALLS + kind)])
            out.emplace_back(kCallNames[kind], books.stats[static_cast<size_t>(STAT_CALLS + kind)]);
    return out;
}

}  // namespace epaudit
