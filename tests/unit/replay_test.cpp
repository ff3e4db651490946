// SPDX-License-Identifier: Apache-2.0
// A recording keeps the books that were kept then, and each look sees the rows that were seen then.
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "src/recording/replay.h"
#include "tests/unit/sample_recording.h"

namespace epaudit {
namespace {

constexpr uint64_t kEpoll = 0x1000;
constexpr uint32_t kThread = 100;

std::string bytes_of(const posting& p) { return {reinterpret_cast<const char*>(&p), RECORD_HEAD_BYTES}; }

posting record_of(uint8_t type, uint8_t kind, uint64_t time)
{
    posting p{};
    p.record = type;
    p.kind = kind;
    p.time = time;
    p.epoll = kEpoll;
    p.tgid = kThread;
    p.tid = kThread;
    p.fd = kThread;
    return p;
}

// Whichever way a registration ended, the account of its counts is kept.
TEST(Replay, CountsOfWhatEndedAreKept)
{
    Auditor auditor(Profile::kTest, make_rules());
    const std::string file = sample_recording(500);
    auto reader = RecordingReader::open(source_of(file), "test");
    ASSERT_TRUE(reader);
    Replay replay(auditor, (*reader)->header());
    replay.keep_totals();
    replay.run(**reader);
    posting gone{};
    gone.record = RECORD_GONE;
    gone.epoll = 0x1000;
    gone.file = 0x2000;
    gone.fd = 7;
    for (size_t left : {1U, 0U}) {
        const auto registrations = replay.tables().registration_account();
        ASSERT_EQ(registrations.size(), 1U);
        EXPECT_EQ(registrations[0].deliveries, 500U);
        EXPECT_EQ(registrations[0].delivered_in, 500U);
        EXPECT_EQ(replay.tables().registrations(), left);
        replay.tables().apply_recorded(gone);
    }
}

// While the program runs on, so that more is booked between the sweep's walk and the look.
TEST(Replay, ALookSeesRowsAsTheSweepShowedThem)
{
    Auditor auditor(Profile::kTest, make_rules());
    std::vector<Snapshot> looks;
    Replay replay(auditor, sample_header(), [&](const Snapshot& books) { looks.push_back(books); });
    uint64_t now = sample_header().began;
    auto apply = [&](uint8_t type, uint8_t kind = POSTING_NONE) {
        const std::string bytes = bytes_of(record_of(type, kind, ++now));
        replay.apply({type, bytes});
    };
    auto wait = [&] {
        apply(RECORD_POSTING, POSTING_WAIT);
        apply(RECORD_POSTING, POSTING_RETURN);
    };
    wait();
    wait();
    apply(RECORD_EPOLL_ROW);
    apply(RECORD_THREAD_ROW);
    wait();
    apply(RECORD_SWEEP_END);
    wait();
    replay.apply({RECORD_LOOK, {reinterpret_cast<const char*>(&now), sizeof(now)}});
    ASSERT_EQ(looks.size(), 1U);
    ASSERT_TRUE(looks[0].epoll(kEpoll) && looks[0].thread(kThread));
    EXPECT_EQ(looks[0].epoll(kEpoll)->waits, 2U);
    EXPECT_EQ(replay.tables().epoll(kEpoll)->waits, 4U);
    EXPECT_LT(looks[0].thread(kThread)->return_at, replay.tables().thread(kThread)->return_at);
}

// An instance that is gone has no row; what a damaged recording says of it is left out.
TEST(Replay, OnlyRowsThatExistAreShown)
{
    Auditor auditor(Profile::kTest, make_rules());
    std::vector<Snapshot> looks;
    Replay replay(auditor, sample_header(), [&](const Snapshot& books) { looks.push_back(books); });
    uint64_t now = sample_header().began;
    for (uint8_t type : {RECORD_EPOLL_ROW, RECORD_THREAD_ROW, RECORD_SWEEP_END})
        replay.apply({type, bytes_of(record_of(type, POSTING_NONE, ++now))});
    replay.apply({RECORD_LOOK, {reinterpret_cast<const char*>(&now), sizeof(now)}});
    ASSERT_EQ(looks.size(), 1U);
    EXPECT_TRUE(looks[0].epolls.empty() && looks[0].threads.empty());
}

// What a thread hangs in is no posting: the look at which it was asked has it, and no other.
TEST(Replay, WhatThreadsDidThatWereAway)
{
    Auditor auditor(Profile::kTest, make_rules());
    std::vector<Snapshot> looks;
    Replay replay(auditor, sample_header(), [&](const Snapshot& books) { looks.push_back(books); });
    uint64_t now = sample_header().began + 1;
    const recorded_away hung[] = {{kThread, 45, 1000, 20}, {kThread + 1, AwayThread::kRuns, 3000, 0}};
    // Cut in the middle of a third one.
    replay.apply({RECORD_AWAY, std::string(reinterpret_cast<const char*>(hung), sizeof(hung)) + "cut"});
    for (int i = 0; i < 2; i++)
        replay.apply({RECORD_LOOK, {reinterpret_cast<const char*>(&now), sizeof(now)}});
    ASSERT_EQ(looks.size(), 2U);
    ASSERT_EQ(looks[0].away.size(), 2U);
    EXPECT_EQ(looks[0].away.at(kThread).call, 45);
    EXPECT_EQ(looks[0].away.at(kThread).cpu_ns, 1000U);
    EXPECT_EQ(looks[0].away.at(kThread).delay_ns, 20U);
    EXPECT_EQ(looks[0].away.at(kThread + 1).call, AwayThread::kRuns);
    EXPECT_TRUE(looks[1].away.empty());
}

posting call_on_connection(uint8_t kind, uint64_t time)
{
    posting p{};
    p.record = RECORD_POSTING;
    p.kind = kind;
    p.epoll = kind == POSTING_ADD ? 0x1000 : 0;
    p.file = 0x2000;
    p.fd = 7;
    p.ino = kind == POSTING_ADD ? 5 : 0;
    p.file_kind = FILE_TCP;
    p.mask = EV_IN;
    p.result = kind == POSTING_ADD ? 0 : 10;
    p.time = time;
    return p;
}

uint64_t reads_of_the_connection(const std::vector<posting>& records)
{
    Tables tables;
    for (const posting& p : records)
        tables.apply_recorded(p);
    const file_row* f = tables.file(0x2000);
    return f ? f->reads : 0;
}

// One thread adds a connection, and another, on another CPU, reads it before the ADD is recorded.
TEST(Replay, AReadThatIsRecordedBeforeTheAddCounts)
{
    const posting add = call_on_connection(POSTING_ADD, 100);
    EXPECT_EQ(reads_of_the_connection({call_on_connection(POSTING_READ, 110), add}), 1U);
    EXPECT_EQ(reads_of_the_connection({call_on_connection(POSTING_READ, 110), call_on_connection(POSTING_READ, 120),
                                       add, call_on_connection(POSTING_READ, 130)}),
              3U);
    EXPECT_EQ(reads_of_the_connection({call_on_connection(POSTING_READ, 90), add}), 0U)
        << "of a file that was there before";
    std::vector<posting> many(1000, call_on_connection(POSTING_READ, 110));
    many.push_back(add);
    EXPECT_LE(reads_of_the_connection(many), 64U) << "what waits is bounded";
}

// A look that found none is another thing than no look.
TEST(Replay, SocketsThatNoEpollHolds)
{
    Auditor auditor(Profile::kTest, make_rules());
    std::vector<Snapshot> looks;
    Replay replay(auditor, sample_header(), [&](const Snapshot& books) { looks.push_back(books); });
    uint64_t now = sample_header().began + 1;
    unregistered_socket two[2]{};
    two[1].fd = 7;
    two[1].state.unread = 40;
    for (const std::string& record :
         {std::string(reinterpret_cast<const char*>(two), sizeof(two)) + "cut", std::string()}) {
        replay.apply({RECORD_UNREGISTERED, record});
        replay.apply({RECORD_LOOK, {reinterpret_cast<const char*>(&now), sizeof(now)}});
    }
    replay.apply({RECORD_LOOK, {reinterpret_cast<const char*>(&now), sizeof(now)}});
    ASSERT_EQ(looks.size(), 3U);
    ASSERT_TRUE(looks[0].unregistered && looks[0].unregistered->size() == 2);
    EXPECT_EQ(looks[0].unregistered->at(1).fd, 7);
    EXPECT_EQ(looks[0].unregistered->at(1).state.unread, 40U);
    ASSERT_TRUE(looks[1].unregistered);
    EXPECT_TRUE(looks[1].unregistered->empty());
    EXPECT_FALSE(looks[2].unregistered);
}

}  // namespace
}  // namespace epaudit
