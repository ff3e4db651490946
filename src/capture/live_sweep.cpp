// SPDX-License-Identifier: Apache-2.0
// Reading the books: the sweep's records, the small tables, the counters.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <utility>

#include "src/capture/entries_sink.h"
#include "src/capture/live_walk.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

// Dead registrations beside the newest one of their file are rare: looking for them once a while is enough, unless
// epolls come and go by the hundred.
constexpr uint32_t kSweepsPerCleaning = 10;
constexpr size_t kManyEpolls = kMaxEpolls / 16;
// Last words kept between two looks: some 80 MB.
constexpr size_t kMostBuried = 1 << 16;
// What sweep_epoll() and sweep_thread() in bpf/sweep.h hand over: key, row, key, row.
template <typename Key, typename Row>
void read_rows(const std::string& raw, std::map<Key, Row>& out)
{
    for (size_t at = 0; at + sizeof(Key) + sizeof(Row) <= raw.size(); at += sizeof(Key) + sizeof(Row)) {
        Key key;
        memcpy(&key, raw.data() + at, sizeof(key));
        memcpy(&out[key], raw.data() + at + sizeof(key), sizeof(Row));
    }
}

// Files and their registrations, as many as deserve a look.
bool walk_files(LiveCapture::Impl& impl, std::vector<Entry>& entries)
{
    constexpr size_t kMore = 256;  // than the last time
    entries = std::exchange(impl.spare_entries, {});
    EntriesSink sink(entries, impl.entries_then + kMore);
    const bool ok = walk(impl, Table::kFiles, sink);
    sink.end();
    impl.entries_then = entries.size();
    if (impl.swept_late)
        bring_together(entries, impl.swept_late);
    return ok;
}

bool walk_rows(LiveCapture::Impl& impl, Table table)
{
    TextSink sink(impl.swept_text);
    return walk(impl, table, sink);
}

int on_buried(void* context, void* data, size_t size)
{
    auto& impl = *static_cast<LiveCapture::Impl*>(context);
    if (size < sizeof(sweep_record))
        return 0;
    if (impl.buried.size() >= kMostBuried) {
        impl.buried_lost++;
        return 0;
    }
    impl.buried.emplace_back();
    memcpy(&impl.buried.back(), data, sizeof(sweep_record));
    return 0;
}

// Events of which the books still hope that an ADD under way explains them (bpf/ledger_unknown.h). Should this look be
// the last, they are lost.
uint64_t unexplained(const Snapshot& books)
{
    uint64_t count = 0;
    for (const auto& [id, epoll] : books.epolls)
        for (const unknown_event& event : epoll.unknown)
            count += event.quiet ? event.count : 0;
    return count;
}

}  // namespace

Result<> open_buried(LiveCapture::Impl& impl)
{
    impl.ring.reset(ring_buffer__new(bpf_map__fd(impl.skeleton->maps.buried), on_buried, &impl, nullptr));
    if (!impl.ring)
        return observe_error(fmt::format("cannot read the ring of last words: {}", strerror(errno)));
    return Done{};
}

// Of a crowd that has gone, no more is kept than what the next look may need.
void LiveCapture::reuse(std::vector<Entry>&& entries)
{
    constexpr size_t kKept = 4;  // times as many as there are
    if (entries.capacity() <= kKept * (impl_->entries_then + 1024))
        impl_->spare_entries = std::move(entries);
}

void LiveCapture::collect()
{
    ring_buffer__consume(impl_->ring.get());
    collect_stacks();
}

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
    collect();
    books.call_sites = impl.stacks;
    bool clean = impl.sweeps++ % kSweepsPerCleaning == 0 || impl.epolls_then > kManyEpolls;
    if (clean && !walk_rows(impl, Table::kRegistrations))
        return observe_error(fmt::format("cannot walk the registrations: {}", strerror(errno)));
    if (!walk_rows(impl, Table::kEpolls))
        return observe_error(fmt::format("cannot walk the epoll instances: {}", strerror(errno)));
    read_rows(impl.swept_text, books.epolls);
    if (!walk_rows(impl, Table::kThreads))
        return observe_error(fmt::format("cannot walk the threads: {}", strerror(errno)));
    read_rows(impl.swept_text, books.threads);
    // Last, because its end is the end of the sweep for a recording.
    if (!walk_files(impl, books.entries))
        return observe_error(fmt::format("cannot walk the tables: {}", strerror(errno)));
    books.time = monotonic_ns();
    impl.epolls_then = books.epolls.size();
    follow_naps(impl, books);
    impl.unexplained_then = unexplained(books);
    if (counters) {
        read_stats(impl.skeleton->maps.stats, books.stats);
        books.stats[STAT_EVENTS_UNKNOWN] += impl.unexplained_then;
        count_skipped_runs(impl, books.stats);
        books.stats[STAT_PROCESSES_FULL] += impl.processes_full;
    }
    ring_buffer__consume(impl.ring.get());
    books.buried = std::move(impl.buried);
    impl.buried.clear();

    ask_away(books);
    look_for_unregistered(impl, books);
    refresh_processes(impl, books);
    books.processes = impl.processes;
    if (impl.recorder)
        impl.recorder->look(books, counters, impl.stacks.get());
    return books;
}

}  // namespace epaudit
