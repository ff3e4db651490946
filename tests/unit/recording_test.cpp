// SPDX-License-Identifier: Apache-2.0
// Recordings: what was written is read, whatever is damaged is noticed once, and a replay finds what was found.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "rules/catalogue.h"
#include "src/evidence/fingerprint.h"
#include "src/recording/replay.h"
#include "tests/unit/sample_recording.h"

namespace epaudit {
namespace {

using Records = std::vector<std::pair<uint32_t, std::string>>;
using Losses = std::vector<std::pair<std::string, uint64_t>>;
const Losses kCut{{"recording_cut", 1}};

std::string written(const Records& records, size_t block_bytes = RecordingWriter::kBlock)
{
    std::string file;
    RecordingWriter writer(into(file), block_bytes);
    writer.begin(sample_header());
    for (const auto& [type, bytes] : records)
        writer.add(type, bytes);
    writer.end();
    EXPECT_EQ(writer.trouble(), "");
    EXPECT_EQ(writer.bytes(), file.size());
    return file;
}

Records read_all(RecordingReader& reader)
{
    Records records;
    RecordingReader::Record record;
    while (reader.next(record))
        records.emplace_back(record.type, std::string(record.bytes));
    return records;
}

struct Outcome {
    std::string error;  // the file could not be opened
    std::string trouble;
    Losses lost;
    uint64_t postings = 0;
    uint64_t looks = 0;
    std::vector<Finding> findings;
};

Outcome replayed(std::string_view file, const std::vector<std::string>& settings = {})
{
    Outcome outcome;
    auto reader = RecordingReader::open(source_of(file), "test");
    if (!reader) {
        outcome.error = reader.error().message;
        EXPECT_EQ(reader.error().exit, Exit::kUsage);
        EXPECT_NE(reader.error().hint, "");
        return outcome;
    }
    Auditor auditor(Profile::kTest, make_rules());
    for (const std::string& setting : settings)
        EXPECT_TRUE(auditor.set(setting)) << setting;
    Replay replay(auditor, (*reader)->header());
    replay.run(**reader);
    outcome.trouble = replay.trouble();
    outcome.lost = replay.lost();
    outcome.postings = replay.postings();
    outcome.looks = replay.looks();
    outcome.findings = auditor.findings();
    return outcome;
}

TEST(Recording, AProcessIsReadAsItWasWritten)
{
    ProcessInfo written{4711, "worker", "/usr/sbin/nginx", RunState::kAlive, 5};
    for (const Workload& workload :
         {Workload{}, Workload{"web.service", {"3f4a0c1d9be8", "api", "acme/api:7", "docker"}, "shop/api-0"}}) {
        written.workload = workload;
        written.directory = "/srv/app";
        ProcessInfo read;
        ASSERT_TRUE(parse_process(process_text(written, "id"), read));
        EXPECT_EQ(read.comm, "worker");
        EXPECT_EQ(read.workload, workload);
        EXPECT_EQ(read.directory, "/srv/app");
    }
}

// What is found is known by the same fingerprint in the run and in its recording.
TEST(Recording, ANameThatIsNoTextIsTheSameFinding)
{
    for (const char* name : {"/srv/caf\xe9", "/srv/\xe2\x82-server", "/srv/\xff\xff"}) {
        ProcessInfo read;
        ASSERT_TRUE(parse_process(process_text({4711, "worker", name, RunState::kAlive, 5}, "id"), read));
        Finding live, replayed;
        live.exe = name;
        replayed.exe = read.exe;
        EXPECT_EQ(fingerprint(live), fingerprint(replayed)) << read.exe;
    }
}

TEST(Recording, AStackIsReadWithItsProcess)
{
    const Stack stack{"armed here", {{"watch", "server.cpp", 44, "/app/server"}}};
    RecordedStack read;
    ASSERT_TRUE(parse_stack(stack_text({StackRole::kArmed, 9, 1000, stack, 4711}), read));
    RecordedSites sites;
    sites.add(std::move(read));
    EXPECT_EQ(sites.armed_in(4711).size(), 1U);
    EXPECT_EQ(sites.places_in(4711), 1U);
    EXPECT_TRUE(sites.armed_in(4712).empty());
    ASSERT_TRUE(parse_stack("{\"role\":0,\"id\":9,\"time\":1000,\"frames\":[]}", read)) << "of an earlier version";
    sites.add(std::move(read));
    EXPECT_EQ(sites.places_in(0), 0U) << "of no process that is known";
}

TEST(Recording, HeaderIsReadAsItWasWritten)
{
    const std::string file = written({});
    auto reader = RecordingReader::open(source_of(file), "test");
    ASSERT_TRUE(reader) << reader.error().message;
    const RecordingHeader& header = (*reader)->header();
    EXPECT_EQ(header_text(header), header_text(sample_header()));
    EXPECT_EQ(header.command, (std::vector<std::string>{"server", "--port=80"}));
    EXPECT_EQ(header.programs.at(0).build_id, "00ff");
    EXPECT_EQ(header.sight.hooks, "tracepoint");
    EXPECT_EQ(header.began, 1000 * NSEC_PER_SEC);
    EXPECT_TRUE(read_all(**reader).empty());
    EXPECT_EQ((*reader)->trouble(), "");
}

RC_GTEST_PROP(RecordingProperty, WhatIsWrittenIsRead, ())
{
    const auto records = *rc::gen::container<Records>(rc::gen::pair(
        rc::gen::inRange<uint32_t>(0, RECORD_END), rc::gen::container<std::string>(rc::gen::arbitrary<char>())));
    const auto block = *rc::gen::inRange<size_t>(256, 4096);
    std::string file;
    RecordingWriter writer(into(file), block);
    writer.begin(sample_header());
    Records expected;
    for (const auto& [type, bytes] : records) {
        if (bytes.size() + 4 > block)
            continue;
        writer.add(type, bytes);
        expected.emplace_back(type, bytes);
        writer.renumbering().apply(type, expected.back().second.data(), bytes.size());
    }
    writer.end();
    auto reader = RecordingReader::open(source_of(file), "test");
    RC_ASSERT(bool(reader));
    RC_ASSERT(read_all(**reader) == expected);
    RC_ASSERT((*reader)->trouble().empty());
}

// Any records at all, cut anywhere.
RC_GTEST_PROP(RecordingProperty, NoPrefixOfAnyRecordingCrashes, ())
{
    const auto records = *rc::gen::container<Records>(
        rc::gen::pair(rc::gen::inRange<uint32_t>(0, 256), rc::gen::container<std::string>(rc::gen::arbitrary<char>())));
    const std::string file = written(records, 1024);
    const size_t length = *rc::gen::inRange<size_t>(0, file.size() + 1);
    const Outcome outcome = replayed(std::string_view(file).substr(0, length));
    RC_ASSERT(outcome.looks <= records.size() + 1);
}

posting any_posting()
{
    posting p{};
    auto bytes = *rc::gen::container<std::vector<uint8_t>>(sizeof(p), rc::gen::arbitrary<uint8_t>());
    memcpy(&p, bytes.data(), sizeof(p));
    p.kind %= POSTING_KINDS;
    p.file_kind %= FILE_KINDS;
    p.record = RECORD_POSTING;
    p.time %= 1ULL << 62;
    p.amount %= 1 << 20;
    for (u64* word : {&p.file, &p.epoll, &p.data, &p.state.io})  // no addresses: those are renumbered
        *word &= ~0ULL >> 8;
    p.result = *rc::gen::inRange<int64_t>(-4095, 1 << 20);
    return p;
}

constexpr uint64_t kObject = 0xffff888012345600;

posting with_addresses(uint64_t file)
{
    posting p{};
    p.kind = POSTING_READ;
    p.file_kind = FILE_UNIX;
    p.flags = POSTING_STATE;
    p.file = file;
    p.epoll = kObject + 4096;
    p.data = 0xffff888012345678;  // epoll_event.data is the program's own
    p.state.io = kObject + 8192;
    return p;
}

TEST(Recording, HoldsNoAddressOfTheKernel)
{
    recorded_row row{};
    row.record = RECORD_ROW;
    row.file = kObject;
    row.epoll = kObject + 4096;
    row.state.io = kObject + 8192;
    unregistered_socket sockets[2] = {};
    sockets[1].file = kObject;
    std::string file;
    RecordingWriter writer(into(file));
    writer.begin(sample_header());
    writer.add(with_addresses(kObject));
    writer.add(with_addresses(kObject + 64));
    writer.add(RECORD_ROW, &row, sizeof(row));
    writer.add(RECORD_UNREGISTERED, sockets, sizeof(sockets));
    writer.end();
    auto reader = RecordingReader::open(source_of(file), "test");
    ASSERT_TRUE(reader);
    Records records = read_all(**reader);
    ASSERT_EQ(records.size(), 4u);
    for (const auto& [type, bytes] : records)
        for (uint64_t address = kObject; address <= kObject + 8192; address += 64)
            EXPECT_EQ(bytes.find(std::string(reinterpret_cast<const char*>(&address), sizeof(address))),
                      std::string::npos)
                << "record " << type;
    auto back = [&](size_t i) {
        posting p{};
        memcpy(&p, records[i].second.data(), std::min(sizeof(p), records[i].second.size()));
        return p;
    };
    recorded_row shown{};
    memcpy(&shown, records[2].second.data(), sizeof(shown));
    EXPECT_EQ(back(0).file, shown.file) << "what was the same is the same";
    EXPECT_EQ(back(0).epoll, shown.epoll);
    EXPECT_EQ(back(0).state.io, shown.state.io);
    EXPECT_NE(back(0).file, back(1).file) << "what was not is not";
    EXPECT_EQ(back(0).data, with_addresses(0).data);
    EXPECT_EQ(writer.renumbered(kObject), back(0).file) << "and stacks are of the same";
    std::string again;
    EXPECT_NE(RecordingWriter(into(again)).renumbered(kObject), writer.renumbered(kObject)) << "a key for each";
}

TEST(Recording, WhatIsNoAddressStays)
{
    const Renumbering numbers;
    for (uint64_t value :
         {uint64_t{0}, uint64_t{1}, uint64_t{0x7fffffffffff}, ~uint64_t{0}, static_cast<uint64_t>(-4095)})
        EXPECT_EQ(numbers.of(value), value);
    posting tcp = with_addresses(1);
    tcp.file_kind = FILE_TCP;  // there it is two counts of bytes
    posting kept = tcp;
    numbers.apply(RECORD_POSTING, reinterpret_cast<char*>(&kept), sizeof(kept));
    EXPECT_EQ(kept.state.io, tcp.state.io);
    EXPECT_NE(kept.epoll, tcp.epoll);
}

RC_GTEST_PROP(RecordingProperty, PostingsKeepWhatTheyHold, ())
{
    posting p = any_posting();
    const unsigned kept = *rc::gen::inRange(0U, 3U);
    if (kept < 2) {
        p.ino = 0;
        p.cpu = 0;
        p.delay = 0;
    }
    p.flags = static_cast<u8>(kept ? p.flags | POSTING_STATE : p.flags & ~POSTING_STATE);
    if (!kept)
        p.state = {};
    std::string file;
    RecordingWriter writer(into(file));
    writer.begin(sample_header());
    writer.add(p);
    writer.end();
    auto reader = RecordingReader::open(source_of(file), "test");
    RC_ASSERT(bool(reader));
    RecordingReader::Record record;
    RC_ASSERT((*reader)->next(record));
    RC_ASSERT(kept == 2 || record.bytes.size() == (kept ? RECORD_STATE_BYTES : RECORD_HEAD_BYTES));
    posting back;
    RC_ASSERT(read_posting(record, back));
    RC_ASSERT(memcmp(&p, &back, sizeof(p)) == 0);
}

TEST(Recording, ReplayFindsWhatWasFound)
{
    const Outcome outcome = replayed(sample_recording(2500));
    EXPECT_EQ(outcome.error + outcome.trouble, "");
    EXPECT_TRUE(outcome.lost.empty());
    EXPECT_EQ(outcome.looks, 25U);
    ASSERT_EQ(outcome.findings.size(), 1U);
    const Finding& finding = outcome.findings[0];
    EXPECT_EQ(finding.rule, "EP202");
    EXPECT_GE(finding.level, Level::kLikely);
    EXPECT_EQ(finding.comm, "server");
    EXPECT_EQ(finding.fd.number, 7);
    EXPECT_FALSE(finding.timeline.empty());
    ASSERT_FALSE(finding.stacks.empty());  // the place of the call came with the recording
    EXPECT_EQ(finding.stacks[0].frames.at(0).function, "watch_client");
}

TEST(Recording, OtherThresholdsJudgeTheSameRecordingAnew)
{
    const std::string file = sample_recording(2500);
    const Outcome outcome = replayed(file, {"unread-spin.seconds=60"});
    ASSERT_EQ(outcome.findings.size(), 1U);
    EXPECT_EQ(outcome.findings[0].level, Level::kRisk) << "it lasts two seconds and a half";
    ASSERT_TRUE(outcome.findings[0].inconclusive);
    EXPECT_EQ(outcome.findings[0].inconclusive->remedy, "watch for 65 s");
}

TEST(Recording, EveryLengthIsReadAndTheLossIsCountedOnce)
{
    const std::string file = sample_recording(200, 256);
    ASSERT_GE(file.size(), 20000U);
    const size_t header = 8 + 12 + header_text(sample_header()).size();
    uint64_t postings = 0;
    for (size_t length = 0; length <= file.size(); length++) {
        const Outcome outcome = replayed(std::string_view(file).substr(0, length));
        if (length < header) {
            ASSERT_NE(outcome.error, "") << length;
            continue;
        }
        ASSERT_EQ(outcome.error, "") << length;
        ASSERT_EQ(outcome.lost, length < file.size() ? kCut : Losses{}) << length;
        ASSERT_EQ(outcome.trouble.empty(), length == file.size()) << length;
        ASSERT_GE(outcome.postings, postings) << length;
        postings = outcome.postings;
    }
    EXPECT_GT(postings, 600U);
}

TEST(Recording, EveryDamagedByteIsNoticedOnce)
{
    const std::string file = sample_recording(100, 1024);
    for (size_t at = 0; at < file.size(); at++) {
        std::string damaged = file;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
        const Outcome outcome = replayed(damaged);
        ASSERT_TRUE(!outcome.error.empty() || outcome.lost == kCut) << at;
    }
}

TEST(Recording, WhatANewerEpauditWritesIsPassedOver)
{
    posting p{};
    p.kind = POSTING_CREATE;
    p.time = sample_header().began;
    p.epoll = 0x1000;
    p.epfd = 4;
    std::string longer(reinterpret_cast<const char*>(&p), sizeof(p));
    longer += "more that is not known here";
    const Outcome outcome = replayed(
        written({{200, "a type of later"}, {RECORD_POSTING, longer}, {RECORD_LOOK, std::string(1, '\1')}}));
    EXPECT_EQ(outcome.error + outcome.trouble, "");
    EXPECT_TRUE(outcome.lost.empty());
    EXPECT_EQ(outcome.postings, 1U);
    EXPECT_EQ(outcome.looks, 1U);  // a record that is too short is filled up with zeros
}

TEST(Recording, ANewerFormatIsRefused)
{
    std::string file = written({});
    file[8] = 2;
    EXPECT_EQ(replayed(file).error, "test is a recording of format 2; this epaudit reads format 1");
}

TEST(Recording, OtherFilesAreNoRecordings)
{
    for (const char* text : {"", "1234 epoll_wait(3, [], 64, -1) = 0\n", "epaureX"})
        EXPECT_EQ(replayed(text).error, "test is not a recording");
    EXPECT_EQ(replayed("epaurec\n").error, "test is damaged: its header is not whole");
    auto missing = RecordingReader::open(std::string("/nonexistent/recording"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().message, "cannot read /nonexistent/recording: No such file or directory");
}

TEST(Recording, NonsenseIsCountedAndLeftOut)
{
    posting p{};
    p.kind = POSTING_READ;
    p.result = INT64_MIN;
    const std::string bytes(reinterpret_cast<const char*>(&p), sizeof(p));
    const uint64_t late = ~0ULL;
    const Outcome outcome = replayed(
        written({{RECORD_POSTING, bytes},
                 {RECORD_POSTING, "short"},
                 {RECORD_PROCESS, "no JSON"},
                 {RECORD_STACK, "{\"role\":99}"},
                 {RECORD_LOOK, std::string(reinterpret_cast<const char*>(&late), sizeof(late))}}));
    EXPECT_EQ(outcome.lost, (Losses{{"recording_records_unusable", 5}}));
    EXPECT_EQ(outcome.postings, 0U);
}

TEST(Recording, LostRecordsAreTold)
{
    const uint32_t slot[2] = {STAT_RECORDS_LOST, 0};
    const uint64_t lost = 17;
    std::string stats(reinterpret_cast<const char*>(slot), sizeof(slot));
    stats.append(reinterpret_cast<const char*>(&lost), sizeof(lost));
    EXPECT_EQ(replayed(written({{RECORD_STATS, stats}})).lost, (Losses{{"recording_records_lost", 17}}));
}

TEST(Recording, AFileWithoutABeginningIsNotLeftBehind)
{
    const std::string path = testing::TempDir() + "epaudit-recording-test";
    std::filesystem::remove(path);
    auto writer = RecordingWriter::create(path);
    ASSERT_TRUE(writer) << writer.error().message;
    writer->reset();
    EXPECT_FALSE(std::filesystem::exists(path));
    std::ofstream(path) << "an older one";  // stays until there is a new one
    writer = RecordingWriter::create(path);
    writer->reset();
    std::string old;
    EXPECT_TRUE(std::getline(std::ifstream(path), old) && old == "an older one");
    writer = RecordingWriter::create(path);
    (*writer)->begin(sample_header());
    (*writer)->end();
    writer->reset();
    auto reader = RecordingReader::open(path);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_TRUE(read_all(**reader).empty());
    EXPECT_EQ((*reader)->trouble(), "");
    std::filesystem::remove(path);
}

TEST(Recording, AFailingDiskIsTold)
{
    RecordingWriter writer([](const char*, size_t) {
        errno = ENOSPC;
        return false;
    });
    writer.begin(sample_header());
    writer.end();
    EXPECT_EQ(writer.trouble(), "the recording could not be written: No space left on device");
    EXPECT_EQ(writer.bytes(), 0U);
}

}  // namespace
}  // namespace epaudit
