// SPDX-License-Identifier: Apache-2.0
// Inside of live capture: a recording while it is made. The kernel's ring is emptied by a thread of its own, because
// at 0.9 M postings/s it would overflow while the rules look at the books. What user space knows beside it (the looks
// of the rules, processes, stacks) is put in between at the place in the stream to which it belongs.
#pragma once

#include <bpf/libbpf.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "src/books/snapshot.h"
#include "src/capture/live.h"
#include "src/recording/writer.h"

struct epaudit_bpf;

namespace epaudit {

class StackBook;

struct RingDeleter {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

class LiveRecorder {
public:
    // `first` comes before all that is in the ring.
    LiveRecorder(int ring_fd, std::unique_ptr<RecordingWriter> writer, const RecordingHeader& header,
                 const std::vector<posting>& first);
    ~LiveRecorder();

    // Time to read the counters for the recording, once a second.
    bool wants_counters();
    // After each sweep.
    void look(const Snapshot& books, bool counters, StackBook* stacks);
    // Of a process that came late.
    void add(const posting& p);
    // Hooks are off: the thread ends, and the ring is emptied.
    void stop();
    // Thereafter.
    RecordingWriter& writer() { return *writer_; }

private:
    // What belongs behind the end of the sweep with this number.
    struct Aside {
        uint64_t sweep = 0;
        std::vector<std::pair<uint32_t, std::string>> records;
    };

    struct Program {
        std::string exe;
        std::string build_id;
        std::string text;
    };

    static int on_record(void* self, void* data, size_t size);
    void take(const void* data, size_t size);
    void work();
    void empty_ring();
    void write_asides(uint64_t safe);

    std::unique_ptr<RecordingWriter> writer_;
    std::unique_ptr<ring_buffer, RingDeleter> ring_;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;     // under mutex_
    std::deque<Aside> asides_;  // under mutex_
    uint64_t sweeps_told_ = 0;  // of the rules' thread
    uint64_t counted_at_ = 0;
    std::map<uint32_t, Program> processes_;  // as last written
    uint64_t sweeps_seen_ = 0;               // of the writing thread
    uint64_t since_asides_ = 0;
    uint64_t taken_ = 0;
};

// RECORD_STATS.
std::string stats_bytes(const std::array<uint64_t, STAT_SLOTS>& stats);

// Before loading.
void size_recording(epaudit_bpf& skeleton, uint32_t bytes);
// In epoll_wait, or in another call.
void note_seeded_thread(LiveCapture::Impl& impl, uint32_t tid, const thread_row& row);

}  // namespace epaudit
