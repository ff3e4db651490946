// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(UnreadSpin, EventfdNeverRead)
{
    Scenario s;
    s.add(5, kIn, FILE_EVENTFD).arrives(5, 1).spin(5, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_EQ(s.finding("EP202").summary, "the eventfd's count is never read: the loop spins");
}

TEST(UnreadSpin, EventfdStillWrittenToWhileItSpins)
{
    Scenario s;  // a growing count is not progress
    s.add(5, kIn, FILE_EVENTFD).arrives(5, 1);
    s.spin(5, kIn, 3000, 500, [](Scenario& t) { t.arrives(5, 1); });
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, UrgentDataIsTakenByAnotherCall)
{
    Scenario s;
    s.add(7, kIn | EPOLLPRI, FILE_TCP).spin(7, EPOLLPRI, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_NE(s.finding("EP202").summary.find("EPOLLPRI"), std::string::npos);
    EXPECT_NE(s.finding("EP202").fix.find("MSG_OOB"), std::string::npos);
}

TEST(UnreadSpin, WhoeverIsToldThatThePeerHasClosedReadsAndCloses)
{
    Scenario s;  // marked for a reaper, and neither read nor taken out: reading alone would not end it
    s.add(7, kIn | EPOLLRDHUP, FILE_TCP).arrives(7, 3).peer_closes(7).spin(7, kIn | EPOLLRDHUP, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_NE(s.finding("EP202").fix.find("close() the fd"), std::string::npos);
}

TEST(UnreadSpin, OneShotListenerArmedAgainWithoutAccept)
{
    Scenario s;
    const uint32_t once = kIn | EPOLLONESHOT;
    s.add(3, once, FILE_LISTENER).arrives(3, 2).spin(3, kIn, 3000, 500, [&](Scenario& t) { t.mod(3, once); });
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, OneShotWakeUpArmedByWhoeverCalls)
{
    Scenario s;  // another thread wakes the loop by arming an eventfd again that is never read
    const uint32_t once = kIn | EPOLLONESHOT;
    s.add(5, once, FILE_EVENTFD).arrives(5, 1);
    s.spin(5, kIn, 3000, 500, [&](Scenario& t) { t.thread(101).mod(5, once).thread(100); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, OneShotTakenByAnotherThreadIsQuiet)
{
    Scenario s;  // one dispatches, and the one that reads arms it again
    const uint32_t once = kIn | EPOLLONESHOT;
    s.add(7, once, FILE_TCP).thread(101).wait().thread(100);
    for (int i = 0; i < 3000; i++)
        s.after_us(500).arrives(7, 10).delivered(7, kIn).thread(101).read(7, 10).mod(7, once).thread(100);
    EXPECT_EQ(s.alarms(), "");
}

// Of an epoll the books have how often it was waited on, and one more; 0: by whom is not known.
TEST(UnreadSpin, AnInnerEpollThatNobodyAsks)
{
    Scenario s;
    s.add(5, kIn, FILE_EPOLL).state(5).io = 1;
    s.spin(5, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_EQ(s.finding("EP202").summary, "nobody waits on the epoll that is registered in this one: the loop spins");
}

TEST(UnreadSpin, AnInnerEpollThatIsAskedOrNotInSightIsQuiet)
{
    Scenario asked, unseen;
    asked.add(5, kIn, FILE_EPOLL).state(5).io = 1;
    asked.spin(5, kIn, 3000, 500, [](Scenario& t) { t.state(5).io++; });
    EXPECT_EQ(asked.alarms(), "");
    unseen.add(5, kIn, FILE_EPOLL).spin(5, kIn, 3000, 500);
    EXPECT_EQ(unseen.alarms(), "");
}

TEST(UnreadSpin, EventfdReadIsQuiet)
{
    Scenario s;
    s.add(5, kIn, FILE_EVENTFD);
    s.spin(5, kIn, 3000, 500, [](Scenario& t) { t.read(5, 8, 8).arrives(5, 1); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, TcpDataNobodyReads)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).arrives(7, 100).spin(7, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, MoreDataArrivingIsNoProgress)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).arrives(7, 1).spin(7, kIn, 3000, 500, [](Scenario& t) { t.arrives(7, 1); });
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, OneByteAtATimeIsProgress)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).arrives(7, 100000).spin(7, kIn, 3000, 500, [](Scenario& t) { t.read(7, 1, 1); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, ReadByIoUringIsProgress)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).arrives(7, 100000).spin(7, kIn, 3000, 500, [](Scenario& t) { t.consumed_unseen(7, 10); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, TimerfdUnreadSpins)
{
    Scenario s;
    s.add(5, kIn, FILE_TIMERFD).arrives(5, 1).spin(5, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, AsioClearsItsTimerfdBySettime)
{
    Scenario s;
    s.add(5, kIn, FILE_TIMERFD);
    for (int i = 0; i < 3000; i++)
        s.after_us(500).arrives(5, 1).delivered(5, kIn).settime(5);
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, SignalfdAndPipe)
{
    Scenario s;
    s.add(5, kIn, FILE_SIGNALFD).add(6, kIn, FILE_PIPE).arrives(6, 1);
    s.spin(5, kIn, 3000, 500).spin(6, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed, EP202 confirmed");
}

TEST(UnreadSpin, PipeWhoseWriterGoesOnIsStillUnread)
{
    Scenario s;  // the writer moves the head, the reader the tail
    s.add(6, kIn, FILE_PIPE).arrives(6, 1).spin(6, kIn, 3000, 500, [](Scenario& t) { t.arrives(6, 1); });
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, MemcachedIgnoresTheFirstEventOfAConnection)
{
    Scenario s;
    for (int fd = 10; fd < 400; fd++) {
        s.after_ms(5).add(fd, kIn, FILE_TCP).arrives(fd, 10);
        s.delivered(fd, kIn).delivered(fd, kIn).read(fd, 10);
    }
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, EdgeTriggeredWakeupNeverReadIsQuiet)
{
    Scenario s;  // nginx, mio, Netty: one delivery per write
    s.add(5, kIn | EPOLLET, FILE_EVENTFD).spin(5, kIn, 3000, 500, [](Scenario& t) { t.arrives(5, 1); });
    s.wait().after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, AsioRearmsItsUnreadInterrupterByMod)
{
    Scenario s;
    s.add(5, kIn | EPOLLET, FILE_EVENTFD).arrives(5, 1);
    s.spin(5, kIn, 3000, 500, [](Scenario& t) { t.mod(5, kIn | EPOLLET); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, GoReadsItsEventfdAtTheNextBlockingWait)
{
    Scenario s;
    s.add(5, kIn, FILE_EVENTFD);
    for (int i = 0; i < 1000; i++)
        s.after_us(2000).arrives(5, 1).delivered(5, kIn).delivered(5, kIn).read(5, 8, 8);
    EXPECT_EQ(s.alarms(), "");
}

TEST(UnreadSpin, ListenerOutOfDescriptorsIsAnotherRules)
{
    Scenario s;
    s.add(3, kIn, FILE_LISTENER).arrives(3, 1).spin(3, kIn, 3000, 500, [](Scenario& t) { t.accept(3, -EMFILE); });
    EXPECT_EQ(s.alarms(), "EP205 confirmed");
}

TEST(UnreadSpin, ListenerNobodyAcceptsFrom)
{
    Scenario s;
    s.add(3, kIn, FILE_LISTENER).arrives(3, 1).spin(3, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(UnreadSpin, HerdOnASharedListenerIsNoSpin)
{
    Scenario s;  // told, but another worker was faster
    for (uint32_t pid = 200; pid < 206; pid++)
        s.process(pid).epoll(static_cast<int>(pid)).add(3, kIn, FILE_LISTENER).wait();
    for (int i = 0; i < 2000; i++) {
        s.after_us(600).process(200).epoll(200).arrives(3, 1).delivered(3, kIn);
        s.process(201).epoll(201).delivered(3, kIn);
        s.process(200).epoll(200).accept(3, 50).accept(3, -EAGAIN).wait();
        s.process(201).epoll(201).accept(3, -EAGAIN).wait();
    }
    EXPECT_EQ(s.verdict("EP202"), "none");
}

TEST(UnreadSpin, ASpinThatReadsOnceASecondIsOneFinding)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).arrives(7, 4000);
    for (int i = 0; i < 4; i++)
        s.spin(7, kIn, 3000, 500).read(7, 1000, 1000);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_EQ(s.finding("EP202").fds, 1u);
}

// Kinds without a number in the kernel that tells progress: read() alone empties them, and a pidfd nothing.
class UnreadSpinByCalls : public testing::TestWithParam<uint8_t> {};

TEST_P(UnreadSpinByCalls, IgnoredSpins)
{
    Scenario s;
    s.add(7, kIn, GetParam()).spin(7, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST_P(UnreadSpinByCalls, ReadEachTimeIsNone)
{
    Scenario s;
    s.add(7, kIn, GetParam()).spin(7, kIn, 3000, 500, [](Scenario& t) { t.read(7, 16); });
    EXPECT_EQ(s.alarms(), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, UnreadSpinByCalls, testing::Values(FILE_INOTIFY, FILE_PIDFD, FILE_TTY, FILE_NETLINK));

TEST(UnreadSpin, WhatSharedMemoryEmptiesIsNotJudged)
{
    Scenario s;  // io_uring, perf events: nobody sees the consumer
    s.add(7, kIn, FILE_OTHER).spin(7, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "");
}

}  // namespace
}  // namespace epaudit
