// SPDX-License-Identifier: Apache-2.0
#include "src/capture/live_record.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "src/capture/live_impl.h"
#include "src/support/capabilities.h"
#include "src/support/clock.h"
#include "src/symbols/build_id.h"

namespace epaudit {
namespace {

// How long the ring is left alone when it was empty: at 0.9 M postings/s 1 MB comes meanwhile.
constexpr auto kPause = std::chrono::milliseconds(10);
constexpr uint64_t kFlushNs = NSEC_PER_SEC;
// The ring of a busy target is never empty: what waits aside is looked for now and then all the same.
constexpr uint64_t kRecordsPerLook = 4096;

template <typename Key, typename Row, typename Each>
void each_row(const bpf_map* map, Each each)
{
    int fd = bpf_map__fd(map);
    Key key{};
    uint32_t steps = bpf_map__max_entries(map);
    for (int error = bpf_map_get_next_key(fd, nullptr, &key); !error && steps; steps--) {
        Row row{};
        if (bpf_map_lookup_elem(fd, &key, &row) == 0)
            each(key, row);
        error = bpf_map_get_next_key(fd, &key, &key);
    }
}

// The kernel's counts of what has not ended.
void add_account(const epaudit_bpf& skeleton, RecordingWriter& writer)
{
    const uint64_t now = monotonic_ns();
    const int run_rows = bpf_map__fd(skeleton.maps.run_rows);
    each_row<uint64_t, file_row>(skeleton.maps.file_rows, [&](uint64_t id, const file_row& row) {
        file_totals totals{};
        totals_of_file(&totals, id, &row, now);
        writer.add(RECORD_FILE_TOTALS, &totals, sizeof(totals));
    });
    each_row<registration_key, registration_row>(skeleton.maps.registration_rows,
                                                 [&](const registration_key& key, const registration_row& row) {
                                                     registration_totals totals{};
                                                     run_row runs{};
                                                     if (row.ran)
                                                         bpf_map_lookup_elem(run_rows, &key, &runs);
                                                     totals_of_registration(&totals, &key, &row, &runs, now);
                                                     writer.add(RECORD_REGISTRATION_TOTALS, &totals, sizeof(totals));
                                                 });
}

}  // namespace

std::string stats_bytes(const std::array<uint64_t, STAT_SLOTS>& stats)
{
    std::string bytes;
    for (uint32_t slot = 0; slot < stats.size(); slot++) {
        if (!stats[slot])
            continue;
        const uint32_t head[2] = {slot, 0};
        bytes.append(reinterpret_cast<const char*>(head), sizeof(head));
        bytes.append(reinterpret_cast<const char*>(&stats[slot]), sizeof(stats[slot]));
    }
    return bytes;
}

LiveRecorder::LiveRecorder(int ring_fd, std::unique_ptr<RecordingWriter> writer, const RecordingHeader& header,
                           const std::vector<posting>& first)
    : writer_(std::move(writer)), ring_(ring_buffer__new(ring_fd, on_record, this, nullptr))
{
    writer_->begin(header);
    for (const posting& p : first)
        writer_->add(p);
    thread_ = std::thread([this] { work(); });
}

LiveRecorder::~LiveRecorder() { stop(); }

int LiveRecorder::on_record(void* self, void* data, size_t size)
{
    static_cast<LiveRecorder*>(self)->take(data, size);
    return 0;
}

void LiveRecorder::take(const void* data, size_t size)
{
    constexpr size_t kType = offsetof(posting, record);
    if (size <= kType)
        return;
    const uint8_t type = static_cast<const uint8_t*>(data)[kType];
    writer_->add(type, data, size);
    taken_++;
    if (type == RECORD_SWEEP_END) {
        sweeps_seen_++;
        write_asides(0);
    } else if (++since_asides_ >= kRecordsPerLook) {
        write_asides(0);
    }
}

// Those whose sweep has come to its end in the stream, and up to number `safe` in any case: the ring was emptied after
// they came (a full ring may have lost the end of their sweep).
void LiveRecorder::write_asides(uint64_t safe)
{
    since_asides_ = 0;
    std::deque<Aside> ready;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        while (!asides_.empty() && asides_.front().sweep <= std::max(safe, sweeps_seen_)) {
            ready.push_back(std::move(asides_.front()));
            asides_.pop_front();
        }
    }
    for (const Aside& aside : ready)
        for (const auto& [type, bytes] : aside.records)
            writer_->add(type, bytes);
}

void LiveRecorder::empty_ring()
{
    uint64_t waiting = 0;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        waiting = asides_.empty() ? 0 : asides_.back().sweep;
    }
    if (ring_)
        ring_buffer__consume(ring_.get());
    write_asides(waiting);
}

void LiveRecorder::work()
{
    keep_capabilities(kept_for_looks());  // of this thread
    uint64_t flushed = monotonic_ns();
    for (;;) {
        const uint64_t before = taken_;
        empty_ring();
        if (monotonic_ns() - flushed >= kFlushNs) {
            writer_->flush();
            flushed = monotonic_ns();
        }
        std::unique_lock<std::mutex> lock(mutex_);
        if (stopping_)
            return;
        if (taken_ - before < kRecordsPerLook)
            wake_.wait_for(lock, kPause);
    }
}

void LiveRecorder::stop()
{
    if (!thread_.joinable())
        return;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
    empty_ring();
}

bool LiveRecorder::wants_counters()
{
    const uint64_t now = monotonic_ns();
    if (counted_at_ && now - counted_at_ < NSEC_PER_SEC)
        return false;
    counted_at_ = now;
    return true;
}

void LiveRecorder::look(const Snapshot& books, bool counters, StackBook* stacks)
{
    Aside aside;
    aside.sweep = ++sweeps_told_;
    for (const auto& [pid, process] : books.processes) {
        Program& known = processes_[pid];
        if (known.exe != process.exe) {
            known.exe = process.exe;
            known.build_id = build_id(pid);
        }
        std::string text = process_text(process, known.build_id);
        if (text != known.text)
            aside.records.emplace_back(RECORD_PROCESS, text);
        known.text = std::move(text);
    }
    if (stacks)
        for (auto& [owner, stack] : stacks->take_fresh())
            aside.records.emplace_back(RECORD_STACK, stack_text({owner.role, writer_->renumbered(owner.id), owner.time,
                                                                 std::move(stack), owner.pid}));
    if (counters)
        aside.records.emplace_back(RECORD_STATS, stats_bytes(books.stats));
    std::string away;
    for (const auto& [tid, thread] : books.away) {
        const recorded_away one{tid, thread.call, thread.cpu_ns, thread.delay_ns};
        away.append(reinterpret_cast<const char*>(&one), sizeof(one));
    }
    if (!away.empty())
        aside.records.emplace_back(RECORD_AWAY, std::move(away));
    if (const auto& sockets = books.unregistered)
        aside.records.emplace_back(RECORD_UNREGISTERED, std::string(reinterpret_cast<const char*>(sockets->data()),
                                                                    sockets->size() * sizeof(unregistered_socket)));
    aside.records.emplace_back(RECORD_LOOK,
                               std::string(reinterpret_cast<const char*>(&books.time), sizeof(books.time)));
    std::lock_guard<std::mutex> lock(mutex_);
    asides_.push_back(std::move(aside));
}

void LiveRecorder::add(const posting& p)
{
    Aside aside;
    aside.sweep = sweeps_told_;
    aside.records.emplace_back(p.record, std::string(reinterpret_cast<const char*>(&p), sizeof(p)));
    std::lock_guard<std::mutex> lock(mutex_);
    asides_.push_back(std::move(aside));
}

void size_recording(epaudit_bpf& skeleton, uint32_t bytes)
{
    skeleton.rodata->recording = bytes != 0;
    bpf_map__set_max_entries(skeleton.maps.recorded, bytes ? bytes : static_cast<uint32_t>(getpagesize()));
}

void note_seeded_thread(LiveCapture::Impl& impl, uint32_t tid, const thread_row& row)
{
    posting p{};
    p.record = RECORD_WAITS;
    p.kind = row.waiting ? POSTING_WAIT : POSTING_ENTER;
    p.time = row.waiting ? row.wait_at : row.call_at;
    p.epoll = row.epoll;
    p.file = row.call_file;
    p.tgid = row.tgid;
    p.tid = tid;
    p.amount = row.timeout_ms;
    if (impl.recorder)
        impl.recorder->add(p);
    else
        impl.seeded_waits.push_back(p);
}

void LiveCapture::begin_recording(std::unique_ptr<RecordingWriter> writer, RecordingHeader header)
{
    Impl& impl = *impl_;
    header.sight = sight();
    header.began = impl.began;
    header.began_unix = realtime_ns() - (monotonic_ns() - impl.began);
    if (header.command.empty())  // else it has not become the command yet; its first RECORD_PROCESS tells
        for (const auto& [pid, process] : impl.processes)
            header.programs.push_back({pid, process.comm, process.exe, build_id(pid)});
    if (impl.stacks)
        impl.stacks->take_fresh();  // from now on they are kept for us
    impl.recorder = std::make_unique<LiveRecorder>(bpf_map__fd(impl.skeleton->maps.recorded), std::move(writer), header,
                                                   impl.seeded_waits);
}

RecordingSummary LiveCapture::end_recording(const std::vector<std::string>& notes)
{
    Impl& impl = *impl_;
    RecordingSummary summary;
    if (!impl.recorder)
        return summary;
    detach_hooks(impl);
    impl.recorder->stop();
    RecordingWriter& writer = impl.recorder->writer();
    std::array<uint64_t, STAT_SLOTS> stats{};
    read_stats(impl.skeleton->maps.stats, stats);
    count_skipped_runs(impl, stats);
    stats[STAT_PROCESSES_FULL] += impl.processes_full;
    stats[STAT_EVENTS_UNKNOWN] += impl.unexplained_then;
    writer.add(RECORD_STATS, stats_bytes(stats));
    for (const std::string& note : notes)
        writer.add(RECORD_NOTE, note);
    add_account(*impl.skeleton, writer);
    writer.end();
    summary.records = writer.records();
    summary.bytes = writer.bytes();
    summary.lost = stats[STAT_RECORDS_LOST];
    summary.trouble = writer.trouble();
    impl.recorder.reset();
    return summary;
}

}  // namespace epaudit
