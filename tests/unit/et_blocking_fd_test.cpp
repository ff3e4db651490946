// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

// Reads what there is, then once more: that call sleeps.
Scenario& drain_and_hang(Scenario& s, uint64_t ms)
{
    s.arrives(7, 10).delivered(7, EPOLLIN).enters(7).read(7, 10);
    s.enters(7).after_ms(ms).arrives(7, 5).slept(true).read(7, 5).slept(false);
    return s.wait();
}

TEST(EtBlockingFd, CallsThatSleepAreConfirmed)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(7, kEdge, FILE_TCP).blocking(7);
        drain_and_hang(s, 40);
        s.after_ms(300);
        EXPECT_EQ(s.alarms(), "EP103 likely");
        drain_and_hang(s, 40);
        s.after_ms(300);
        EXPECT_EQ(s.alarms(), "EP103 confirmed");
        EXPECT_EQ(s.finding("EP103").count, 2u);
        EXPECT_NEAR(s.finding("EP103").cost[0].second, 0.04, 0.001);
    }
}

TEST(EtBlockingFd, AThreadAsleepNowIsConfirmed)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).blocking(7).arrives(7, 10).delivered(7, EPOLLIN).enters(7).read(7, 10).enters(7);
    s.after_ms(800);
    EXPECT_EQ(s.alarms(), "");
    s.after_ms(600);
    EXPECT_EQ(s.alarms(), "EP103 confirmed");
    EXPECT_EQ(s.finding("EP103").shape, "asleep in a call on it at the last look");
}

TEST(EtBlockingFd, AcceptLoopOnABlockingListener)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER).blocking(3).arrives(3, 1).delivered(3, EPOLLIN).enters(3).accept(3, 9).enters(3);
    s.after_ms(1500);
    EXPECT_EQ(s.alarms(), "EP103 confirmed");
}

TEST(EtBlockingFd, StillToldWhenTheFdIsClosed)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).blocking(7);
    drain_and_hang(s, 1200).close(7);
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP103 confirmed");
}

TEST(EtBlockingFd, FixedReadsUntilEagain)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP);
    for (int i = 0; i < 20; i++)
        s.after_ms(100).arrives(7, 10).delivered(7, EPOLLIN).enters(7).read(7, 10).enters(7).read(7, -EAGAIN).wait();
    EXPECT_EQ(s.verdict("EP103"), "none");
    EXPECT_EQ(s.fault(7).sleep_calls, 0u);
}

TEST(EtBlockingFd, OneReadPerEdgeNeverSleeps)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).blocking(7);
    for (int i = 0; i < 20; i++)
        s.after_ms(100).arrives(7, 10).delivered(7, EPOLLIN).enters(7).read(7, 10).wait();
    EXPECT_EQ(s.verdict("EP103"), "none");
}

TEST(EtBlockingFd, PreemptedIsNotAsleep)
{
    Scenario s;  // 40 ms on the runqueue: no voluntary context switch
    s.add(7, kEdge, FILE_TCP).blocking(7);
    for (int i = 0; i < 5; i++)
        s.after_ms(100).arrives(7, 10).delivered(7, EPOLLIN).enters(7).after_ms(40).read(7, 10).wait();
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtBlockingFd, AReadThatFillsItsBufferIsAHazard)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).blocking(7).arrives(7, 4096).delivered(7, EPOLLIN).enters(7).read(7, 4096, 4096).wait();
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP103"), "risk");
}

TEST(EtBlockingFd, WakeupDescriptorsMayBlock)
{
    Scenario s;  // nginx, workflow: blocking eventfd and timerfd, edge-triggered
    s.add(5, kEdge, FILE_EVENTFD).add(6, kEdge, FILE_TIMERFD).add(8, kEdge, FILE_OTHER);
    for (int fd : {5, 6, 8})
        s.blocking(fd).delivered(fd, EPOLLIN).enters(fd).after_ms(50).slept(true).read(fd, 8, 8).slept(false);
    s.wait().after_ms(500);
    EXPECT_EQ(s.verdict("EP103"), "none");
}

TEST(EtBlockingFd, LevelTriggeredFdsMayBlock)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).blocking(7);
    drain_and_hang(s, 2000);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP103"), "none");
}

TEST(EtBlockingFd, AThreadOfAnotherEpollMayRead)
{
    Scenario s;  // the fd was handed to a thread of its own, which waits elsewhere
    s.epoll(5).thread(101).wait().epoll(4).thread(100).add(7, kEdge, FILE_TCP).blocking(7);
    s.arrives(7, 10).delivered(7, EPOLLIN).wait();
    s.epoll(5).thread(101).returned(0).enters(7).after_ms(3000).slept(true).read(7, 10).slept(false);
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtBlockingFd, OneshotPoolsReadAtLeisure)
{
    Scenario s;
    s.add(7, kEdge | EPOLLONESHOT, FILE_TCP).blocking(7).thread(101).wait().thread(100);
    drain_and_hang(s, 1500);
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP103"), "risk");
}

TEST(EtBlockingFd, StoppedIsNotAsleep)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).blocking(7).arrives(7, 10).delivered(7, EPOLLIN).enters(7).stopped(true).after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
}

// What LiveCapture::seed() writes: the thread slept in a call on the fd when we came.
void hung_before(Scenario& s, int fd)
{
    posting p = s.blank(POSTING_ENTER, fd);
    p.record = RECORD_WAITS;
    s.tables().apply_recorded(p);
}

TEST(EtBlockingFd, HungWhenWeCame)
{
    Scenario s;
    s.seeded(7, kEdge, FILE_TCP).blocking(7);
    hung_before(s, 7);
    s.at_ms(800);
    EXPECT_EQ(s.alarms(), "");
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP103 likely");  // it was taken for the loop because nobody else waits
    s.slept(true).arrives(7, 5).read(7, 5).slept(false).wait().after_ms(300);
    drain_and_hang(s, 40);
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP103 confirmed");
}

TEST(EtBlockingFd, HungWhenWeCameWhileAnotherThreadWaitsLater)
{
    Scenario s;  // a pool in which threads read at leisure
    s.seeded(7, kEdge, FILE_TCP).blocking(7);
    hung_before(s, 7);
    s.thread(101).wait().at_ms(5000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP103"), "risk");
}

}  // namespace
}  // namespace epaudit
