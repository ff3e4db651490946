// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kOut = EPOLLOUT;

TEST(BusyEpollout, ArmedWithNothingToWriteIsConfirmed)
{
    Scenario s;
    s.epoll(4).cpu(0.9).add(7, kIn | kOut, FILE_TCP);
    s.spin(7, kOut, 15000, 100);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    Finding f = s.finding("EP201");
    EXPECT_EQ(f.shape, "nothing between returns");
    EXPECT_EQ(f.trigger, "level");
    EXPECT_EQ(f.fd.number, 7);
    EXPECT_EQ(f.fd.kind, "tcp");
    EXPECT_EQ(f.epoll_fd, 4);
    ASSERT_EQ(f.cost.size(), 2u);
    EXPECT_EQ(f.cost[0].first, "wakeups_per_s");
    EXPECT_NEAR(f.cost[0].second, 10000, 10);
    EXPECT_NEAR(f.cost[1].second, 0.9, 0.01);
    EXPECT_EQ(f.timeline.size(), 16u);
    EXPECT_EQ(f.timeline.back().what, "delivered EPOLLOUT");
}

TEST(BusyEpollout, BetweenTheGatesIsLikely)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).spin(7, kOut, 800, 2500);  // 400/s, cheap
    EXPECT_EQ(s.alarms(), "EP201 likely");
}

TEST(BusyEpollout, AQuarterOfACoreConfirmsALowRate)
{
    Scenario s;
    s.cpu(0.25).add(7, kOut, FILE_TCP).spin(7, kOut, 800, 2500);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(BusyEpollout, BelowTheRateIsQuiet)
{
    Scenario s;
    s.cpu(0.9).add(7, kOut, FILE_TCP).spin(7, kOut, 500, 11000);  // 90/s
    EXPECT_EQ(s.verdict("EP201"), "none");
}

// Attached for 0.9 s, or a log of that length: to call that clean would be wrong, and there is nothing to compare it with.
TEST(BusyEpollout, AllOfAWatchThatIsShorterThanASecondIsInconclusive)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).spin(7, kOut, 1800, 500);
    const Finding finding = s.finding("EP201");
    EXPECT_EQ(finding.level, Level::kRisk);
    ASSERT_TRUE(finding.inconclusive);
    const std::string words = finding.inconclusive->words();
    EXPECT_TRUE(words.starts_with("fd 7 (tcp) was reported 1")) << words;
    EXPECT_TRUE(words.ends_with(" times without work, for less time than a verdict takes: watch for 6 s")) << words;
}

TEST(BusyEpollout, AFewReturnsInAShortWatchAreQuiet)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).spin(7, kOut, 900, 1000);
    EXPECT_EQ(s.verdict("EP201"), "none");
}

TEST(BusyEpollout, ShorterThanASecondIsQuiet)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).spin(7, kOut, 900, 1000).write(7, 10).wait();
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP201"), "none");
}

TEST(BusyEpollout, ARunThatEndedIsStillTold)
{
    Scenario s;
    s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 2000, 1100).mod(7, kIn).wait();
    s.after_ms(1000);
    EXPECT_EQ(s.alarms(), "EP201 likely");  // 909/s
}

TEST(BusyEpollout, ARunThatDiedWithItsFdIsStillTold)
{
    Scenario s;
    s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 3000, 500).close(7).wait();
    s.after_ms(1000);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

// A pool whose connections live for a quarter of a second, a TLS server with short visits: the loop never rests, and no
// connection is there for a second.
TEST(BusyEpollout, ConnectionsThatPassSpinTogether)
{
    Scenario s;
    for (int one = 0; one < 16; one++)
        s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 500, 400).close(7).wait().after_ms(10);
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    std::string facts;
    for (const auto& [name, text] : s.finding("EP201").facts)
        facts += name + ": " + text + "\n";
    EXPECT_NE(facts.find(" of 16 fds one after another"), std::string::npos) << facts;
}

TEST(BusyEpollout, ThoseThatAreStillThereCount)
{
    Scenario s;
    for (int fd = 7; fd < 13; fd++)
        s.add(fd, kIn | kOut, FILE_TCP).spin(fd, kOut, 500, 400).mod(fd, kIn).wait();
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

// The same wall time counts once, however many connections were reported in it.
TEST(BusyEpollout, ManyAtOnceForAMomentAreQuiet)
{
    Scenario s;
    std::vector<std::pair<int, uint32_t>> all;
    for (int fd = 7; fd < 27; fd++) {
        s.add(fd, kIn | kOut, FILE_TCP);
        all.emplace_back(fd, kOut);
    }
    for (int turn = 0; turn < 400; turn++)
        s.after_us(500).delivers(all);
    for (int fd = 7; fd < 27; fd++)
        s.close(fd);
    s.wait().after_ms(3000);
    EXPECT_EQ(s.verdict("EP201"), "none");
}

// A turn that takes long now and then is no loop that never rests.
TEST(BusyEpollout, NowAndThenIsQuiet)
{
    Scenario s;
    for (int one = 0; one < 16; one++)
        s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 500, 400).close(7).wait().after_ms(10000);
    EXPECT_EQ(s.verdict("EP201"), "none");
}

TEST(BusyEpollout, TlsThatReadsWhenToldToWrite)
{
    Scenario s;
    s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 3000, 500, [](Scenario& t) { t.read(7, -EAGAIN); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    EXPECT_EQ(s.finding("EP201").shape, "read = EAGAIN between returns");
}

TEST(BusyEpollout, RearmedEachTurnIsNoProgress)
{
    Scenario s;
    s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 3000, 500, [](Scenario& t) { t.mod(7, kIn | kOut); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(BusyEpollout, OneShotArmedForRoomEachTurn)
{
    Scenario s;  // a pool whose threads arm what they have served for the wrong thing
    const uint32_t once = EPOLLOUT | EPOLLRDHUP | EPOLLONESHOT;
    s.add(7, once, FILE_TCP).spin(7, kOut, 3000, 500, [&](Scenario& t) { t.read(7, -EAGAIN).mod(7, once); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(BusyEpollout, OneShotArmedForRoomWhenThereIsSomethingToWrite)
{
    Scenario s;
    const uint32_t once = EPOLLOUT | EPOLLONESHOT;
    s.add(7, once, FILE_TCP).spin(7, kOut, 3000, 500, [&](Scenario& t) { t.write(7, 50, 100).mod(7, once); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(BusyEpollout, FixedDropsEpollout)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP);
    for (int i = 0; i < 2000; i++) {
        s.after_us(1000).arrives(7, 10).delivered(7, kIn).read(7, 10).write(7, 5, 10);
        s.mod(7, kIn | kOut).delivered(7, kOut).write(7, 5).mod(7, kIn);
    }
    EXPECT_EQ(s.verdict("EP201"), "none");
}

TEST(BusyEpollout, LighttpdWritesAtEachDelivery)
{
    Scenario s;
    s.add(7, kIn | kOut, FILE_TCP).spin(7, kOut, 21746, 100, [](Scenario& t) { t.write(7, 100, 200); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(BusyEpollout, ProgressByIoUringCounts)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).spin(7, kOut, 5000, 500, [](Scenario& t) { t.consumed_unseen(7, 1); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(BusyEpollout, MemcachedUsesItOnceAsCallMeAgain)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP);
    for (int i = 0; i < 3000; i++)  // 20 requests per event, then EPOLLOUT once
        s.after_us(500).arrives(7, 20).delivered(7, kIn).read(7, 20).mod(7, kOut).delivered(7, kOut).mod(7, kIn);
    EXPECT_EQ(s.alarms(), "");
}

TEST(BusyEpollout, EdgeTriggeredOutNeverSpins)
{
    Scenario s;  // nginx: 60 ET EPOLLOUT deliveries in a row without a write
    s.add(7, kIn | kOut | EPOLLRDHUP | EPOLLET, FILE_TCP).spin(7, kOut, 3000, 500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(BusyEpollout, RidingAlongWithUsefulEventsCostsNothing)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).add(8, kIn, FILE_TCP);
    for (int i = 0; i < 3000; i++)
        s.after_us(500).arrives(8, 10).delivers({{7, kOut}, {8, kIn}}).read(8, 10);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.epoll_books().futile_returns, 0u);
}

TEST(BusyEpollout, UnknownKindsGetNoVerdict)
{
    Scenario s;
    s.add(7, kOut, FILE_OTHER).add(8, kOut, FILE_UNKNOWN);
    s.spin(7, kOut, 3000, 500).spin(8, kOut, 3000, 500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(BusyEpollout, SharedDataBlamesTheEpoll)
{
    Scenario s;
    s.add_shared(7, kOut, FILE_TCP, 1).add_shared(8, kOut, FILE_TCP, 1).spin(7, kOut, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    EXPECT_EQ(s.finding("EP201").fd.number, -1);
}

TEST(BusyEpollout, ArmedForAMinuteInVainIsAHazard)
{
    Scenario s(Profile::kProduction);  // each delivery rides along with a useful one: no spin
    s.add(7, kIn | kOut, FILE_TCP).add(8, kIn, FILE_TCP);
    for (int i = 0; i < 1000; i++)
        s.after_ms(70).arrives(8, 10).delivers({{7, kOut}, {8, kIn}}).read(8, 10).write(8, 10);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP201"), "risk");
    EXPECT_EQ(s.finding("EP201").fd.number, 7);
}

TEST(BusyEpollout, ArmedWhileThereIsNoRoomIsRight)
{
    Scenario s(Profile::kProduction);
    s.add(7, kIn | kOut, FILE_TCP).writable(7, false).after_ms(70000);
    EXPECT_EQ(s.verdict("EP201"), "none");
}

TEST(BusyEpollout, IoUringBetweenTheReturnsIsNamed)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP);
    s.spin(7, kOut, 3000, 500, [](Scenario& t) { t.post(t.blank(POSTING_URING)); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    EXPECT_EQ(s.finding("EP201").shape, "io_uring_enter between returns");
}

TEST(BusyEpollout, CpuOfSeveralThreadsIsNotCompared)
{
    Scenario s;
    s.add(7, kOut, FILE_TCP).cpu(0.9);
    for (int i = 0; i < 600; i++)
        s.after_us(2500).thread(i % 2 ? 101 : 102).delivered(7, kOut);
    EXPECT_EQ(s.alarms(), "EP201 likely");
    EXPECT_EQ(s.finding("EP201").cost.size(), 1u);
}

}  // namespace
}  // namespace epaudit
