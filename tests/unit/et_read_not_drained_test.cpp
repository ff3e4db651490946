// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kEdgeRdHup = EPOLLIN | EPOLLRDHUP | EPOLLET;

// The buggy server: 12 bytes arrive, 4 are read.
Scenario& one_short_pass(Scenario& s, int fd) { return s.arrives(fd, 12).delivered(fd, EPOLLIN).read(fd, 4, 4).wait(); }

TEST(EtReadNotDrained, RescuedAgainAndAgainIsConfirmed)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 4; i++)
        one_short_pass(s.after_ms(350), 7);
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP101 confirmed");
    Finding f = s.finding("EP101");
    EXPECT_EQ(f.count, 3u);
    EXPECT_EQ(f.trigger, "edge");
}

TEST(EtReadNotDrained, OneRescueIsNotEnough)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.after_ms(350), 7);
    one_short_pass(s.after_ms(350), 7);
    s.after_ms(100);
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

TEST(EtReadNotDrained, OneRescueOnEachOfThreeFdsIsConfirmed)
{
    Scenario s;
    for (int fd : {7, 8, 9})
        s.add(fd, kEdgeRdHup, FILE_TCP);
    for (int fd : {7, 8, 9, 7, 8, 9})
        one_short_pass(s.after_ms(150), fd);
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP101 confirmed");
}

TEST(EtReadNotDrained, RescueOfAFdThatIsGoneIsStillTold)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 4; i++)
        one_short_pass(s.after_ms(205), 7);
    s.close(7).after_ms(300);
    EXPECT_EQ(s.alarms(), "EP101 confirmed");
}

TEST(EtReadNotDrained, LeftWhileTheLoopSleepsIsLikely)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(1400);
    EXPECT_EQ(s.verdict("EP101"), "none");
    s.at_ms(2600);
    EXPECT_EQ(s.alarms(), "EP101 likely");
    EXPECT_EQ(s.finding("EP101").shape, "unread while the loop sleeps");
}

TEST(EtReadNotDrained, UnixMessagesAreLeftLikeBytes)
{
    Scenario s;  // SOCK_DGRAM and SOCK_SEQPACKET: whoever sends waits for nothing, and three messages may make one edge
    s.add(7, kEdgeRdHup, FILE_UNIX).state(7).flags &= ~STATE_STREAM;
    for (int i = 0; i < 4; i++)
        s.after_ms(350).arrives(7, 3).delivered(7, EPOLLIN).read(7, 1, 64).wait();
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP101 confirmed");
}

TEST(EtReadNotDrained, UnixMessagesThatAreAllTakenAreQuiet)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_UNIX).state(7).flags &= ~STATE_STREAM;
    for (int i = 0; i < 4; i++)
        s.after_ms(350).arrives(7, 3).delivered(7, EPOLLIN).read(7, 1).read(7, 1).read(7, 1).read(7, -EAGAIN).wait();
    s.after_ms(5000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, AsksForWhatItLeftWhenItsTimeHasCome)
{
    Scenario s;  // so many bytes for each client and second: another thread arms it again, with the mask that it has
    s.add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 6; i++) {
        s.after_ms(400).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).wait();
        s.after_ms(300).thread(101).mod(7, kEdgeRdHup).thread(100).delivered(7, EPOLLIN).read(7, 4, 4).wait();
    }
    s.after_ms(1200);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtReadNotDrained, AnotherMaskIsNoQuestionAboutWhatIsLeft)
{
    Scenario s;  // EPOLLOUT comes and goes with the answers
    s.add(7, kEdgeRdHup, FILE_TCP).add(8, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.after_ms(350), 8).after_ms(50).mod(8, kEdgeRdHup | EPOLLOUT).mod(8, kEdgeRdHup);
    for (int i = 0; i < 4; i++)
        one_short_pass(s.after_ms(350), 7);
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP101 confirmed");
}

TEST(EtReadNotDrained, ProductionIsPatient)
{
    Scenario s(Profile::kProduction);
    s.add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(5400);
    EXPECT_EQ(s.verdict("EP101"), "none");
    s.at_ms(7000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, DrainedIsQuiet)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 10; i++)
        s.after_ms(350).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).read(7, 8).read(7, -EAGAIN).wait();
    s.after_ms(5000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, ShortReadThatEmptiedItIsQuiet)
{
    Scenario s;  // nginx, tokio, Netty stop at a short read
    s.add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 10; i++)
        s.after_ms(350).arrives(7, 12).delivered(7, EPOLLIN).read(7, 12).wait();
    s.after_ms(5000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, NginxPipeliningComesBackWithoutAnEvent)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP).arrives(7, 3000).delivered(7, EPOLLIN).read(7, 1024, 1024).wait();
    s.at_ms(8000);
    s.read(7, 1024, 1024).wait();  // it knew it all the time
    s.after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtReadNotDrained, WithdrawnWhenTheProgramComesBackByItself)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(4000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
    s.read(7, 8).wait().after_ms(500);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, GoReadsBeforeTheFirstEdge)
{
    Scenario s;  // speculative: tries the call, waits on EAGAIN
    s.add(8, kEdgeRdHup | EPOLLOUT, FILE_TCP).read(8, -EAGAIN).wait();
    s.add(7, kEdgeRdHup | EPOLLOUT, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

// nginx and its like ask for everything once, and follow whatever they are told with both.
Scenario& told_of_room(Scenario& s, int fd)
{
    s.delivered(3, EPOLLIN).accept(3, fd).add(fd, kEdgeRdHup | EPOLLOUT, FILE_TCP).wait();
    return s.delivered(fd, EPOLLOUT).read(fd, -EAGAIN).wait();
}

TEST(EtReadNotDrained, ReadingWhenToldOfRoomIsNoMemory)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1);
    told_of_room(s, 7);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, TheEndOfItsThreadTakesNothingBack)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP).wait().thread(101);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(2600);
    EXPECT_EQ(s.alarms(), "EP101 likely");
    s.thread_ends().thread(100).after_ms(2000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, ReadingLongAfterRoomIsMemory)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1);
    told_of_room(s, 7).after_ms(300).read(7, -EAGAIN).wait();
    one_short_pass(s.after_ms(500), 7);
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

TEST(EtReadNotDrained, AnsweringOthersIsNoQuestion)
{
    Scenario s;  // an echo service: the thread writes to others all the time, but nobody of them owes it an answer
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 2);
    told_of_room(s, 7);
    told_of_room(s, 8);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(600).arrives(8, 5).delivered(8, EPOLLIN).read(8, 5).write(8, 5).read(8, -EAGAIN).wait();
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, WritingToWhatItConnectedToMayBeAQuestion)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1);
    told_of_room(s, 7);
    s.connects(9, -EINPROGRESS).add(9, kEdgeRdHup | EPOLLOUT, FILE_TCP).wait().delivered(9, EPOLLOUT).wait();
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(600).write(9, 5).wait();
    s.at_ms(3000);
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

TEST(EtReadNotDrained, AcceptedEarlierMayBeSomebodyElse)
{
    Scenario s;  // the number was accepted in one turn; what is registered under it in another may be another file
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1);
    told_of_room(s, 7);
    s.arrives(3, 1).delivered(3, EPOLLIN).accept(3, 8).wait(0).returned(0).add(8, kEdgeRdHup, FILE_TCP).wait();
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(600).write(8, 5).wait();
    s.at_ms(3000);
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

TEST(EtReadNotDrained, IgnoredEdgeIsDeliberate)
{
    Scenario s;  // nginx "block reading", asio without an operation
    s.add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(700).arrives(7, 5).delivered(7, EPOLLIN).wait();
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtReadNotDrained, RearmedByModWillBeToldAgain)
{
    Scenario s;  // Netty, Envoy, asio: MOD with the same mask re-reports
    s.add(7, kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).mod(7, kEdgeRdHup).wait();
    s.at_ms(6000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, PausedByMaskIsQuiet)
{
    Scenario s;  // autoRead off
    s.add(7, kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).mod(7, EPOLLRDHUP | EPOLLET).wait();
    s.at_ms(6000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, HeldBackBehindABlockedClient)
{
    Scenario s;  // nginx unbuffered proxy, stalled client
    s.add(7, kEdgeRdHup, FILE_TCP).add(8, EPOLLOUT | kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 78848).delivered(7, EPOLLIN).read(7, 4096).write(8, 1000, 4096).writable(8, false).wait();
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

TEST(EtReadNotDrained, WaitingForAnUpstream)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).writes_unwatched(30).wait();
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP101"), "risk");
}

TEST(EtReadNotDrained, HandedToAnotherThread)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).wakes_thread().wait();
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtReadNotDrained, LookedAtAndLeft)
{
    Scenario s;  // nginx FIONREAD, MSG_PEEK framing
    s.add(7, kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).peek(7, 8).wait();
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtReadNotDrained, IncompleteMessagesPeekedAtAreNoRescue)
{
    Scenario s;  // reads whole messages only: the rest waits for its other half
    s.add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 6; i++)
        s.after_ms(350).arrives(7, 12).delivered(7, EPOLLIN).peek(7, 12).read(7, 10, 10).peek(7, 2).wait();
    s.after_ms(300);
    EXPECT_EQ(s.file(7).rescues, 0u);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtReadNotDrained, EchoThatWaitsForItsOwnOutputIsNoRescue)
{
    Scenario s;  // input is held back while output is blocked; EPOLLOUT reports EPOLLIN along with it
    s.add(7, kEdgeRdHup | EPOLLOUT, FILE_TCP).arrives(7, 100000);
    s.delivered(7, EPOLLIN | EPOLLOUT).read(7, 4096).write(7, 1000, 4096).writable(7, false).wait();
    for (int i = 0; i < 6; i++) {
        s.after_ms(350).delivered(7, EPOLLIN | EPOLLOUT).write(7, 3096).read(7, 4096);
        s.write(7, 1000, 4096).writable(7, false).wait();
    }
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.file(7).rescues, 0u);
}

TEST(EtReadNotDrained, BusyLoopIsNoSleep)
{
    Scenario s;  // another thread of this epoll is at work
    s.add(7, kEdgeRdHup, FILE_TCP).add(8, EPOLLIN, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    for (int i = 0; i < 50; i++)
        s.after_ms(100).thread(101).wait().arrives(8, 1).delivered(8, EPOLLIN).read(8, 1);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, StoppedProgramIsNotJudged)
{
    Scenario s;
    s.add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.at_ms(2000), 7);
    s.stopped(true).at_ms(9000);
    EXPECT_EQ(s.verdict("EP101"), "none");
    s.stopped(false).at_ms(9600);  // the clock starts again
    EXPECT_EQ(s.verdict("EP101"), "none");
    s.at_ms(10800);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, PlannedByATimer)
{
    Scenario s;  // tokio: filled its buffer and sleeps on a timer
    s.add(7, kEdgeRdHup, FILE_TCP);
    s.at_ms(500).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).wait(30000);
    s.at_ms(9000);
    EXPECT_EQ(s.alarms(), "");
    s.returned(0).wait(30000).after_ms(1000);  // it woke, and did not come for it
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, PastUnknownAfterAttach)
{
    Scenario s(Profile::kProduction);  // its edge came before us
    s.seeded(7, kEdgeRdHup, FILE_TCP).arrives(7, 100).wait();
    s.at_ms(29000);
    EXPECT_EQ(s.verdict("EP101"), "none");
    s.at_ms(32000);
    EXPECT_EQ(s.verdict("EP101"), "risk");  // and clean may not be claimed
    ASSERT_TRUE(s.finding("EP101").inconclusive);
    EXPECT_EQ(s.finding("EP101").inconclusive->text,
              "fd 7 (tcp) has 100 bytes unread, untouched since the observation began (EP101)");
}

TEST(EtReadNotDrained, WhatHungFromTheStartMayWakeUp)
{
    Scenario s(Profile::kProduction);
    s.seeded(7, kEdgeRdHup, FILE_TCP).arrives(7, 100).wait().at_ms(32000);
    EXPECT_EQ(s.verdict("EP101"), "risk");
    s.thread(101).read(7, 100).after_ms(2000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, HeldBackFromTheStartByATimer)
{
    Scenario s;  // it may come back for it: a risk, and no reason to be inconclusive
    s.seeded(7, kEdgeRdHup, FILE_TCP).arrives(7, 100).wait(60000).at_ms(20000);
    EXPECT_EQ(s.verdict("EP101"), "risk");
    EXPECT_FALSE(s.finding("EP101").inconclusive);
}

TEST(EtReadNotDrained, RegisteredTwiceIsNotJudged)
{
    Scenario s;  // facil.io, photon: another epoll will tell
    s.epoll(5).add(7, EPOLLOUT, FILE_TCP).epoll(4).add(7, kEdgeRdHup, FILE_TCP);
    one_short_pass(s.at_ms(500), 7);
    s.at_ms(6000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, WakeupDescriptorsAreLeftUnreadRightly)
{
    Scenario s;  // nginx, asio, mio, Netty, workflow
    s.add(5, EPOLLIN | EPOLLET, FILE_EVENTFD).add(6, EPOLLIN | EPOLLET, FILE_TIMERFD);
    for (int i = 0; i < 10; i++)
        s.after_ms(350).arrives(5, 1).arrives(6, 1).delivers({{5, EPOLLIN}, {6, EPOLLIN}}).wait();
    s.after_ms(8000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

TEST(EtReadNotDrained, TheirIgnoredEdgesSayNothingAboutSockets)
{
    Scenario s;
    s.add(5, EPOLLIN | EPOLLET, FILE_EVENTFD).add(7, kEdgeRdHup, FILE_TCP);
    for (int i = 0; i < 10; i++)
        s.after_ms(350).arrives(5, 1).delivered(5, EPOLLIN).wait();
    one_short_pass(s, 7);
    s.after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, TheRuntimeHasItInAnEpollOfItsOwn)
{
    Scenario s;  // Go: each file is in the netpoller's epoll, edge-triggered, and its thread is told of every edge
    constexpr uint32_t kRuntime = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    s.epoll(5).add(7, kRuntime, FILE_TCP).epoll(4).add(7, EPOLLIN | EPOLLET, FILE_TCP).wait().after_ms(2000);
    s.arrives(7, 12);
    s.thread(101).epoll(5).wait().delivered(7, EPOLLIN).wait(1).after_ms(1).returned(0);
    s.thread(100).epoll(4).delivered(7, EPOLLIN).read(7, 4, 4).wait().after_ms(2000);
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

TEST(EtReadNotDrained, AnotherEpollWillTellOfIt)
{
    for (uint32_t mask : {EPOLLIN + 0U, EPOLLIN | EPOLLET}) {
        Scenario s;  // level-triggered there, or its edge is not fetched yet
        s.epoll(5).add(7, mask, FILE_TCP).epoll(4).add(7, EPOLLIN | EPOLLET, FILE_TCP).wait().after_ms(2000);
        s.arrives(7, 12).epoll(5).ready(7).epoll(4).delivered(7, EPOLLIN).read(7, 4, 4).wait().after_ms(5000);
        EXPECT_EQ(s.alarms(), "");
    }
}

TEST(EtReadNotDrained, LevelTriggeredIsAnotherMatter)
{
    Scenario s;  // it will be told again
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 10; i++)
        one_short_pass(s.after_ms(350), 7);
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

}  // namespace
}  // namespace epaudit
