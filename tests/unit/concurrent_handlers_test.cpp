// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

// Two threads of one epoll, both told of fd 7 and still at it.
Scenario& both_told(Scenario& s, uint8_t kind = FILE_TCP, uint32_t mask = EPOLLIN | EPOLLET)
{
    s.add(7, mask, kind).wait().thread(101).wait();
    s.thread(100).arrives(7, 100).delivered(7, EPOLLIN);
    return s.thread(101).delivered(7, EPOLLIN);
}

void clash(Scenario& s, int64_t first, int64_t second)
{
    s.thread(101).overlaps(7, 100);
    s.thread(100).read(7, first).thread(101).read(7, second);
}

TEST(ConcurrentHandlers, TwoReadsAtOnce)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        both_told(s);
        clash(s, 10, 20);
        s.after_ms(500);
        EXPECT_EQ(s.verdict("EP501"), "none");
        clash(s, 10, 20);
        s.after_ms(500);
        EXPECT_EQ(s.alarms(), "EP501 confirmed");
        EXPECT_EQ(s.finding("EP501").cost[0].second, 2);
    }
}

TEST(ConcurrentHandlers, OneFindsNothing)
{
    Scenario s;
    both_told(s);
    for (int i = 0; i < 9; i++)
        clash(s, 10, -EAGAIN);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP501"), "none");
    clash(s, -EAGAIN, 10);
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "EP501 likely");
}

TEST(ConcurrentHandlers, LevelTriggeredInputToldTwiceIsAnotherRules)
{
    Scenario s;
    both_told(s, FILE_TCP, EPOLLIN);
    for (int i = 0; i < 20; i++)
        clash(s, 10, -EAGAIN);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP501"), "none");
}

TEST(ConcurrentHandlers, ConnectionThatEndsAtOnceIsRemembered)
{
    Scenario s;
    both_told(s);
    clash(s, 10, 20);
    clash(s, 10, 20);
    s.close(7).after_ms(500);
    EXPECT_EQ(s.alarms(), "EP501 confirmed");
}

TEST(ConcurrentHandlers, WorkThatMigratesNeverOverlaps)
{
    Scenario s;  // asio, Go, tokio, brpc: A, B, A, one after the other
    both_told(s).arrives(7, 10000);
    for (int i = 0; i < 100; i++)
        s.thread(100).read(7, 10).thread(101).read(7, 10);
    s.after_ms(2000);
    EXPECT_EQ(s.verdict("EP501"), "none");
}

TEST(ConcurrentHandlers, WorkersThatNeverWaitHere)
{
    Scenario s;  // a blocking reader thread, a pool that was handed the fd
    s.add(7, EPOLLIN, FILE_TCP).wait().arrives(7, 100).delivered(7, EPOLLIN);
    for (int i = 0; i < 20; i++) {
        s.thread(102).overlaps(7, 103);
        s.read(7, 10).thread(103).read(7, 10);
    }
    s.after_ms(2000);
    EXPECT_EQ(s.verdict("EP501"), "none");
}

TEST(ConcurrentHandlers, AThreadBackInEpollWaitHandlesNothing)
{
    Scenario s;
    both_told(s).thread(100).wait();
    for (int i = 0; i < 20; i++)
        s.thread(101).overlaps(7, 100).read(7, 10).thread(100).read(7, 10);
    s.after_ms(2000);
    EXPECT_EQ(s.verdict("EP501"), "none");
}

TEST(ConcurrentHandlers, OtherKindsAreNoStreams)
{
    for (uint8_t kind : {FILE_UDP, FILE_EVENTFD, FILE_TIMERFD, FILE_SIGNALFD, FILE_PIPE, FILE_OTHER, FILE_UNKNOWN}) {
        Scenario s;
        both_told(s, kind);
        for (int i = 0; i < 20; i++)
            clash(s, 10, 10);
        s.after_ms(2000);
        EXPECT_EQ(s.verdict("EP501"), "none") << int(kind);
    }
}

TEST(ConcurrentHandlers, SecondReadOfTheFasterThreadDoesNotCountForBoth)
{
    Scenario s;
    both_told(s).thread(101).overlaps(7, 100);
    s.read(7, 10).read(7, 10).read(7, 10).after_ms(500);  // thread 100 is still in its call
    EXPECT_EQ(s.fault(7).clashes, 0u);
    s.thread(100).read(7, 10);
    EXPECT_EQ(s.fault(7).clashes, 1u);
}

}  // namespace
}  // namespace epaudit
