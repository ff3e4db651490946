// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint64_t kMine = 0x10000;
constexpr uint64_t kOther = 0x90000;

Scenario& stream(Scenario& s, uint8_t kind = FILE_TCP) { return s.add(7, EPOLLIN, kind).wait(); }

TEST(InterleavedWrites, OthersBytesInTheMiddle)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        stream(s).thread(101).writes_from(7, kMine, 400, 1000).thread(102).writes_from(7, kOther, 50, 50);
        s.after_ms(500);
        EXPECT_EQ(s.verdict("EP502"), "none");
        s.writes_from(7, kOther, 60, 60).after_ms(500);
        EXPECT_EQ(s.alarms(), "EP502 likely");
        Finding f = s.finding("EP502");
        EXPECT_EQ(f.count, 2u);
        EXPECT_EQ(f.cost[0].second, 110);
    }
}

TEST(InterleavedWrites, EagainOfTheFirstChangesNothing)
{
    Scenario s;
    stream(s);
    for (int i = 0; i < 2; i++) {
        s.thread(101).writes_from(7, kMine, 400, 1000).writes_from(7, kMine + 400, -EAGAIN, 600);
        s.thread(102).writes_from(7, kOther, 50, 50);
        s.thread(101).writes_from(7, kMine + 400, 600, 600);
    }
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "EP502 likely");
}

TEST(InterleavedWrites, RestSentByAnotherThreadFromWhereItStopped)
{
    Scenario s;  // asio composed writes, brpc KeepWrite, Go
    stream(s);
    for (int i = 0; i < 50; i++)
        s.thread(101).writes_from(7, kMine, 400, 1000).thread(102).writes_from(7, kMine + 400, 600, 600);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, SentPartErasedFromTheBuffer)
{
    Scenario s;  // out.erase(0, n): the rest, and what was appended since, begins where the message began
    stream(s);
    for (int i = 0; i < 50; i++)
        s.thread(101).writes_from(7, kMine, 400, 1000).thread(102).writes_from(7, kMine, 700, 700);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, RestCopiedElsewhere)
{
    Scenario s;
    stream(s);
    for (int i = 0; i < 50; i++)
        s.thread(101).writes_from(7, kMine, 400, 1000).thread(102).writes_from(7, kOther, 600, 600);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, WhoeverIsToldThatThereIsRoomGoesOn)
{
    Scenario s;  // a pool: the rest was queued elsewhere with later messages, EPOLLOUT hands it to any thread
    s.add(7, EPOLLIN | EPOLLOUT, FILE_TCP);
    for (int i = 0; i < 50; i++) {
        s.thread(101).writes_from(7, kMine, 400, 1000).wait();
        s.thread(102).delivered(7, EPOLLOUT).writes_from(7, kOther, 5000, 5000).wait();
    }
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, OneThreadMayDoAsItLikes)
{
    Scenario s;  // asyncio copies the rest, a broadcaster drops it
    stream(s);
    for (int i = 0; i < 50; i++)
        s.writes_from(7, kMine, 400, 1000).writes_from(7, kOther + 1000 * static_cast<uint64_t>(i), 70, 70);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, UnknownAddressesProveNothing)
{
    Scenario s;  // writev, sendmsg
    stream(s);
    for (int i = 0; i < 50; i++)
        s.thread(101).writes_from(7, kMine, 400, 1000).thread(102).writes_from(7, 0, 50, 50);
    for (int i = 0; i < 50; i++)
        s.thread(101).writes_from(7, 0, 400, 1000).thread(102).writes_from(7, kOther, 50, 50);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, WholeMessagesUnderALock)
{
    Scenario s;
    stream(s);
    for (int i = 0; i < 50; i++)
        s.thread(101).writes_from(7, kMine, 400, 400).thread(102).writes_from(7, kOther, 50, 50);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP502"), "none");
}

TEST(InterleavedWrites, DatagramsAndPipes)
{
    for (uint8_t kind : {FILE_UDP, FILE_PIPE, FILE_OTHER, FILE_UNKNOWN}) {
        Scenario s;
        stream(s, kind);
        for (int i = 0; i < 50; i++)
            s.thread(101).writes_from(7, kMine, 400, 1000).thread(102).writes_from(7, kOther, 50, 50);
        s.after_ms(500);
        EXPECT_EQ(s.verdict("EP502"), "none") << int(kind);
    }
}

}  // namespace
}  // namespace epaudit
