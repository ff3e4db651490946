// SPDX-License-Identifier: Apache-2.0
#include "src/recording/replay.h"

#include <algorithm>
#include <cstring>

namespace epaudit {
namespace {

constexpr size_t kMostNotes = 64;
constexpr size_t kMostStacks = 1 << 16;

// What the record lacks is 0.
template <typename Record>
Record take(std::string_view bytes)
{
    Record record{};
    if (!bytes.empty())
        memcpy(&record, bytes.data(), std::min(bytes.size(), sizeof(record)));
    return record;
}

}  // namespace

void RecordedSites::add(RecordedStack&& stack)
{
    std::pair<StackRole, uint64_t> key{stack.role, stack.id};
    if (stack.role == StackRole::kArmed && stack.pid)  // recordings of earlier versions do not tell
        places_[stack.pid] += 1;
    if (kept_.size() < kMostStacks || kept_.count(key))
        kept_[key] = std::move(stack);
}

// As StackBook::find() in live capture.
const Stack* RecordedSites::find(StackRole role, const sweep_record& entry)
{
    auto at = find_stack(kept_, role, entry);
    return at == kept_.end() ? nullptr : &at->second.stack;
}

std::vector<const Stack*> RecordedSites::armed_in(uint32_t pid)
{
    std::vector<const Stack*> stacks;
    for (const auto& [key, kept] : kept_)
        if (key.first == StackRole::kArmed && kept.pid == pid && stacks.size() < kMostOfProcess)
            stacks.push_back(&kept.stack);
    return stacks;
}

uint64_t RecordedSites::places_in(uint32_t pid) const
{
    auto at = places_.find(pid);
    return at == places_.end() ? 0 : at->second;
}

Replay::Replay(Auditor& auditor, const RecordingHeader& header, Looked looked)
    : auditor_(auditor), looked_(std::move(looked)), began_(header.began)
{
    tables_.set_seeded(false);  // what was lost stands in RECORD_STATS
}

void Replay::apply(const RecordingReader::Record& record)
{
    switch (record.type) {
    case RECORD_ROW:
    case RECORD_EPOLL_ROW:
    case RECORD_THREAD_ROW: return show_row(record);
    case RECORD_FILE_TOTALS:
        if (keep_totals_)
            kernel_files_.push_back(take<file_totals>(record.bytes));
        return;
    case RECORD_REGISTRATION_TOTALS:
        if (keep_totals_)
            kernel_registrations_.push_back(take<registration_totals>(record.bytes));
        return;
    case RECORD_LOOK: return look(take<uint64_t>(record.bytes));
    case RECORD_STATS: return take_stats(record.bytes);
    case RECORD_AWAY: return take_away(record.bytes);
    case RECORD_UNREGISTERED: return take_unregistered(record.bytes);
    case RECORD_PROCESS:
        if (ProcessInfo process; parse_process(record.bytes, process))
            tables_.set_process(process);
        else
            unusable_++;
        return;
    case RECORD_STACK:
        if (RecordedStack stack; parse_stack(record.bytes, stack))
            sites_->add(std::move(stack));
        else
            unusable_++;
        return;
    case RECORD_NOTE:
        if (notes_.size() < kMostNotes)
            notes_.emplace_back(record.bytes);
        return;
    default:
        if (record.type <= RECORD_SWEEP_END || record.type == RECORD_SITE || record.type == RECORD_LEFT_SITE ||
            record.type == RECORD_WAITS)
            book(record);
        return;  // else of a newer epaudit
    }
}

void Replay::book(const RecordingReader::Record& record)
{
    posting p;
    if (!read_posting(record, p)) {
        unusable_++;
        return;
    }
    time_ = std::max(time_, p.time);
    postings_++;
    if (record.type == RECORD_SWEEP_END)
        walking_ = false;
    else
        tables_.apply_recorded(p);
}

void Replay::show_row(const RecordingReader::Record& record)
{
    if (!walking_)
        shown_ = {};
    walking_ = true;
    if (record.type == RECORD_ROW)
        tables_.show(take<recorded_row>(record.bytes), shown_);
    else if (posting p; read_posting(record, p))
        tables_.show(p, shown_);
    else
        unusable_++;
}

void Replay::take_stats(std::string_view bytes)
{
    stats_ = {};
    for (; bytes.size() >= 16; bytes.remove_prefix(16)) {
        uint32_t slot = 0;
        memcpy(&slot, bytes.data(), sizeof(slot));
        if (slot < stats_.size())
            memcpy(&stats_[slot], bytes.data() + 8, sizeof(uint64_t));
    }
}

void Replay::take_away(std::string_view bytes)
{
    away_.clear();
    for (; bytes.size() >= sizeof(recorded_away); bytes.remove_prefix(sizeof(recorded_away))) {
        const auto one = take<recorded_away>(bytes);
        away_[one.tid] = {one.call, one.cpu, one.delay};
    }
}

void Replay::take_unregistered(std::string_view bytes)
{
    unregistered_.emplace();
    for (; bytes.size() >= sizeof(unregistered_socket); bytes.remove_prefix(sizeof(unregistered_socket)))
        unregistered_->push_back(take<unregistered_socket>(bytes));
}

void Replay::look(uint64_t now)
{
    if (now < looked_at_ || now >> 62) {
        unusable_++;
        return;
    }
    looked_at_ = now;
    looks_++;
    walking_ = false;
    Snapshot books = tables_.recorded_snapshot(now, std::exchange(shown_, {}));
    books.began = began_;
    books.stats = stats_;
    if (!books.stats[STAT_POSTINGS])  // the recording was cut before they were counted
        books.stats[STAT_POSTINGS] = postings_;
    books.call_sites = sites_;
    books.away = std::exchange(away_, {});
    books.unregistered = std::exchange(unregistered_, {});
    auditor_.look(books);
    if (looked_)
        looked_(books);
}

void Replay::run(RecordingReader& reader, const volatile int* stop)
{
    RecordingReader::Record record;
    while (!(stop && *stop) && reader.next(record))
        apply(record);
    trouble_ = reader.trouble();
    if (!looks_ && time_)  // cut before the first one
        look(time_);
}

std::vector<std::pair<std::string, uint64_t>> Replay::lost() const
{
    std::vector<std::pair<std::string, uint64_t>> lost;
    auto add = [&](const char* name, uint64_t count) {
        if (count)
            lost.emplace_back(name, count);
    };
    add("recording_cut", !trouble_.empty());
    add("recording_records_lost", stats_[STAT_RECORDS_LOST]);
    add("recording_records_unusable", unusable_);
    return lost;
}

}  // namespace epaudit
