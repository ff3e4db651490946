// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

// Both threads are told of the same message before either reads.
Scenario& twice(Scenario& s, int fd)
{
    s.thread(102).wait().thread(101).wait().arrives(fd, 10);
    s.thread(101).delivered(fd, EPOLLIN).after_us(20).thread(102).delivered(fd, EPOLLIN);
    s.after_us(3000).thread(101).read(fd, 10).after_us(20).thread(102).read(fd, -EAGAIN);
    return s;
}

TEST(DuplicateDelivery, LevelTriggeredForTwoThreadsIsLikely)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(7, EPOLLIN, FILE_TCP);
        for (int i = 0; i < 1200; i++)
            twice(s.after_ms(5), 7);
        EXPECT_EQ(s.alarms(), "EP402 likely");
        EXPECT_EQ(s.file(7).duplicates, 1200u);
        EXPECT_EQ(s.fault(7).duplicates_wasted, 1200u);
        EXPECT_NEAR(s.finding("EP402").cost[1].second, 0.5, 0.01);
    }
}

TEST(DuplicateDelivery, TheOneThatNeverLooksIsWastedToo)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 600; i++) {
        s.after_ms(5).thread(102).wait().thread(101).wait().arrives(7, 10);
        s.thread(101).delivered(7, EPOLLIN).after_us(20).thread(102).delivered(7, EPOLLIN);
        s.thread(101).read(7, 10);
    }
    EXPECT_EQ(s.alarms(), "EP402 likely");
}

TEST(DuplicateDelivery, FixedUsesOneshot)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_TCP);
    for (int i = 0; i < 1000; i++) {
        s.after_ms(5).thread(100 + i % 2).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10);
        s.mod(7, EPOLLIN | EPOLLONESHOT).wait();
    }
    EXPECT_EQ(s.verdict("EP402"), "none");
    EXPECT_EQ(s.file(7).duplicates, 0u);
}

TEST(DuplicateDelivery, EdgeTriggeredIsToldOnce)
{
    Scenario s;  // Go, tokio, asio
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP);
    for (int i = 0; i < 1000; i++)
        twice(s.after_ms(5), 7);
    EXPECT_EQ(s.verdict("EP402"), "none");
}

TEST(DuplicateDelivery, WorkThatMovesFromThreadToThread)
{
    Scenario s;  // A, B, A, each after new input
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 1000; i++)
        s.after_ms(5).thread(100 + i % 2).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).wait();
    EXPECT_EQ(s.verdict("EP402"), "none");
}

TEST(DuplicateDelivery, MoreInputMakesTheSecondDeliveryRight)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 1000; i++) {
        s.after_ms(5).thread(102).wait().thread(101).wait().arrives(7, 10).delivered(7, EPOLLIN);
        s.arrives(7, 10).thread(102).delivered(7, EPOLLIN).read(7, 20).thread(101).read(7, -EAGAIN);
    }
    EXPECT_EQ(s.verdict("EP402"), "none");
}

// Each finds nothing where the other was faster, but the fault is that they share it: EP503 says so.
TEST(DuplicateDelivery, AnEpollThatProcessesShareIsAnotherMatter)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 1200; i++) {
        s.after_ms(5).process(200).thread(202).wait().process(100).thread(101).wait().arrives(7, 10);
        s.delivered(7, EPOLLIN).after_us(20).process(200).thread(202).delivered(7, EPOLLIN);
        s.after_us(3000).process(100).thread(101).read(7, 10).process(200).thread(202).read(7, -EAGAIN);
    }
    EXPECT_EQ(s.verdict("EP402"), "none");
    EXPECT_EQ(s.file(7).duplicates, 0u);
}

TEST(DuplicateDelivery, OnePollerHandsOver)
{
    Scenario s;  // asio, httpd: the thread that was told handles, another one polls next
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 1000; i++)
        s.after_ms(5).thread(100 + i % 3).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10);
    EXPECT_EQ(s.verdict("EP402"), "none");
}

TEST(DuplicateDelivery, WakeupsOfSeveralThreadsAndListenersAreLeftAlone)
{
    Scenario s;
    s.add(5, EPOLLIN, FILE_EVENTFD).add(3, EPOLLIN, FILE_LISTENER).add(6, EPOLLIN, FILE_OTHER);
    for (int i = 0; i < 600; i++)
        for (int fd : {3, 5, 6}) {
            s.after_ms(2).thread(102).wait().thread(101).wait().arrives(fd, 1);
            s.thread(101).delivered(fd, EPOLLIN).thread(102).delivered(fd, EPOLLIN);
        }
    EXPECT_EQ(s.verdict("EP402"), "none");
}

// Connections that live for half a second: none is there for a window, and the threads are told twice all the time.
TEST(DuplicateDelivery, ConnectionsThatPassCountTogether)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        for (int one = 0; one < 30; one++) {
            s.add(7, EPOLLIN, FILE_TCP);
            for (int i = 0; i < 60; i++)
                twice(s.after_ms(5), 7);
            s.thread(101).close(7);
        }
        EXPECT_EQ(s.alarms(), "EP402 likely");
    }
}

// The same, and each thread finds what it was told of.
TEST(DuplicateDelivery, ConnectionsThatPassAndAreServedOnceAreQuiet)
{
    Scenario s;
    for (int one = 0; one < 30; one++) {
        s.add(7, EPOLLIN, FILE_TCP);
        for (int i = 0; i < 60; i++)
            s.after_ms(5).thread(100 + i % 2).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).wait();
        twice(s, 7).thread(101).close(7);
    }
    EXPECT_EQ(s.verdict("EP402"), "none");
}

TEST(DuplicateDelivery, RareOnesAreQuiet)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 60; i++)
        twice(s.after_ms(200), 7);
    EXPECT_EQ(s.verdict("EP402"), "none");
}

}  // namespace
}  // namespace epaudit
