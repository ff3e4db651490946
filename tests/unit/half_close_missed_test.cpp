// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& parked(Scenario& s, int fd, uint32_t mask)
{
    return s.add(fd, EPOLLIN, FILE_TCP).arrives(fd, 5).delivered(fd, EPOLLIN).read(fd, 5).mod(fd, mask).wait();
}

TEST(HalfCloseMissed, ParkedWithAMaskOfZero)
{
    Scenario s;
    parked(s, 7, 0).at_ms(500).peer_closes(7);
    s.at_ms(2400);
    EXPECT_EQ(s.verdict("EP301"), "none");
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, FiveMinutesInProduction)
{
    Scenario s(Profile::kProduction);
    parked(s, 7, 0).at_ms(500).peer_closes(7);
    s.at_ms(299000);
    EXPECT_EQ(s.verdict("EP301"), "none");
    s.at_ms(302000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, GrowingNumberIsConfirmed)
{
    Scenario s;
    for (int fd = 10; fd < 60; fd++)
        parked(s.after_ms(150), fd, 0).peer_closes(fd);
    EXPECT_EQ(s.alarms(), "EP301 confirmed");
    EXPECT_GE(s.finding("EP301").fds, 10u);
}

TEST(HalfCloseMissed, RdhupKeptIsQuiet)
{
    Scenario s;  // lwan: suspended coroutine = RDHUP only
    parked(s, 7, EPOLLRDHUP).peer_closes(7).delivered(7, EPOLLRDHUP).close(7).wait();
    s.after_ms(5000);
    EXPECT_EQ(s.verdict("EP301"), "none");
}

TEST(HalfCloseMissed, NoRdhupWithInputIsQuiet)
{
    Scenario s;  // libevent, libuv, redis, Python, muduo: read() == 0 tells
    parked(s, 7, EPOLLIN).peer_closes(7).delivered(7, EPOLLIN).read(7, 0).close(7).wait();
    s.after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, BlockedOutputFindsOutByWriting)
{
    Scenario s;  // slow client that half-closed: the answer is still under way
    parked(s, 7, EPOLLOUT).write(7, 1000, 5000).writable(7, false).peer_closes(7);
    s.after_ms(6000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP301"), "risk");
}

TEST(HalfCloseMissed, AnswerStillWrittenIsQuiet)
{
    Scenario s;
    parked(s, 7, 0).peer_closes(7);
    for (int i = 0; i < 10; i++)
        s.after_ms(1000).write(7, 100);
    EXPECT_EQ(s.verdict("EP301"), "none");
}

TEST(HalfCloseMissed, AnotherEpollListens)
{
    Scenario s;  // facil.io: a set for input, a set for output
    s.epoll(5).add(7, EPOLLIN, FILE_TCP).epoll(4).add(7, EPOLLOUT, FILE_TCP).wait();
    s.peer_closes(7).after_ms(6000);
    EXPECT_EQ(s.verdict("EP301"), "none");
}

TEST(HalfCloseMissed, FiredOneshotIsAnotherRules)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_TCP).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).wait();
    s.peer_closes(7).after_ms(6000);
    EXPECT_EQ(s.verdict("EP301"), "none");
}

TEST(HalfCloseMissed, EndTogetherWithTheLastData)
{
    Scenario s;  // dotnet #38747
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP).at_ms(500).arrives(7, 10).peer_closes(7);
    s.after_ms(1).delivered(7, EPOLLIN).read(7, 10, 4096).wait();
    s.after_ms(4000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
    EXPECT_EQ(s.finding("EP301").shape, "short read under EPOLLET, end of stream unread");
}

TEST(HalfCloseMissed, ReadUntilTheEndIsQuiet)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP).at_ms(500).arrives(7, 10).peer_closes(7);
    s.after_ms(1).delivered(7, EPOLLIN).read(7, 10, 4096).read(7, 0).close(7).wait();
    s.after_ms(4000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, AsioComesBackByItself)
{
    Scenario s;  // no RDHUP, but it reads before it waits
    s.add(8, EPOLLIN | EPOLLET, FILE_TCP).read(8, -EAGAIN).add(7, EPOLLIN | EPOLLET, FILE_TCP);
    s.at_ms(500).arrives(7, 10).peer_closes(7).after_ms(1).delivered(7, EPOLLIN).read(7, 10, 4096).wait();
    s.after_ms(4000);
    EXPECT_EQ(s.verdict("EP301"), "none");
}

TEST(HalfCloseMissed, UnixPeerThatShutItsHalf)
{
    Scenario s;
    s.add(7, 0, FILE_UNIX).wait().peer_closes(7).after_ms(4000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, EndTakenTogetherWithTheData)
{
    Scenario s;  // send() and close() right after one another: recv() takes the FIN along and returns the data
    s.add(7, EPOLLIN, FILE_TCP).at_ms(500).arrives(7, 5).peer_closes(7).delivered(7, EPOLLIN);
    s.read_to_the_end(7, 5).mod(7, 0).wait().at_ms(2000);
    EXPECT_EQ(s.verdict("EP301"), "none");
    s.at_ms(5000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, EndTakenTogetherWithTheDataUnderAnEdge)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP).at_ms(500).arrives(7, 5).peer_closes(7).after_ms(1);
    s.delivered(7, EPOLLIN).read_to_the_end(7, 5).wait().at_ms(5000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, EndTakenTogetherAndReadAfterwardsIsKnown)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).at_ms(500).arrives(7, 5).peer_closes(7).delivered(7, EPOLLIN);
    s.read_to_the_end(7, 5).read(7, 0).mod(7, 0).wait().at_ms(5000);
    EXPECT_EQ(s.verdict("EP301"), "none");
}

TEST(HalfCloseMissed, EndTakenBeforeWeLookedMayBeKnown)
{
    Scenario s;  // attached later: it may have read the end before
    s.seeded(7, 0, FILE_TCP).wait().peer_closes(7);
    s.state(7).flags &= ~STATE_EOF_UNREAD;
    s.at_ms(8000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP301"), "risk");
    EXPECT_EQ(s.finding("EP301").inconclusive->text,
              "fd 7 (tcp) has a peer that closed, untouched since the observation began (EP301)");
}

TEST(HalfCloseMissed, OutputBlockedBeforeItWasRegistered)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);  // gevent, tornado, trio: send(), EAGAIN, and only then epoll_ctl(ADD)
        s.add(7, EPOLLOUT, FILE_TCP).writable(7, false).wait().after_ms(100).peer_closes(7).after_ms(400000);
        EXPECT_EQ(s.alarms(), "");
    }
}

TEST(HalfCloseMissed, OutputBlockedBeforeWeLooked)
{
    Scenario s(Profile::kProduction);
    s.seeded(7, EPOLLOUT, FILE_TCP).writable(7, false).wait().peer_closes(7).after_ms(400000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, ChunksWrittenWholeUntilThereIsNoRoom)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).mod(7, EPOLLOUT);
    for (int i = 0; i < 5; i++)
        s.after_ms(1).delivered(7, EPOLLOUT).write(7, 4096);
    s.writable(7, false).wait().peer_closes(7).after_ms(8000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, QueuedForABusyThreadPool)
{
    for (uint32_t bytes : {200u, 0u}) {
        Scenario s;  // slapd: told of input, mask 0, and a pool thread reads when its turn comes
        s.add(7, EPOLLIN, FILE_TCP).at_ms(500).arrives(7, bytes);
        if (!bytes)
            s.peer_closes(7);
        s.delivered(7, EPOLLIN).mod(7, 0).wakes_thread().wait();
        if (bytes)
            s.after_ms(100).peer_closes(7);
        s.after_ms(8000);
        EXPECT_EQ(s.alarms(), "") << bytes;
    }
}

TEST(HalfCloseMissed, PassiveForThreeSecondsOnPurpose)
{
    Scenario s;  // RabbitMQ and a broken greeting: schedulers read, poll threads wait
    s.thread(101).wait().thread(100);
    s.add(7, EPOLLIN, FILE_TCP).at_ms(500).arrives(7, 5).thread(101).delivered(7, EPOLLIN).wait();
    s.thread(102).read(7, 5).write(7, 8).mod(7, 0).peer_closes(7).after_ms(3000).close(7).after_ms(2000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, ThreadsThatNeverWaitAreNoExcuseForEver)
{
    Scenario s;
    s.thread(101).wait().thread(100);
    s.add(7, EPOLLIN, FILE_TCP).at_ms(500).arrives(7, 5).thread(101).delivered(7, EPOLLIN).wait();
    s.thread(102).read(7, 5).write(7, 8).mod(7, 0).peer_closes(7).after_ms(5000);
    EXPECT_EQ(s.verdict("EP301"), "risk");
    s.after_ms(30000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, TheAdviceKeepsWhoStillWaits)
{
    Scenario s;
    parked(s, 7, 0).at_ms(500).peer_closes(7).at_ms(4000);
    EXPECT_NE(s.finding("EP301").fix.find("once what it asked for is answered"), std::string::npos);
}

TEST(HalfCloseMissed, ParkedBeforeWeLookedIsARiskAtMost)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);  // told of input before, it may be in the queue of a pool
        s.seeded(7, 0, FILE_TCP).wait().peer_closes(7).at_ms(400000);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP301"), "risk");
        EXPECT_TRUE(s.finding("EP301").inconclusive);
        s.thread(101).read(7, 0).close(7).after_ms(2000);
        EXPECT_EQ(s.verdict("EP301"), "none");
    }
}

// What hung from the start stops to be one: it is taken back, and said anew as the risk that it still is.
TEST(HalfCloseMissed, WhatIsNotAHangFromTheStartAnyMoreIsStillARisk)
{
    Scenario s;
    for (int fd : {7, 8, 9})
        s.seeded(fd, EPOLLOUT | EPOLLET, FILE_TCP).writable(fd, true);
    s.wait();
    for (int fd : {7, 8, 9})
        s.peer_closes(fd);
    s.at_ms(60000);
    auto risks = [&] { return s.finding("EP301").fds; };
    EXPECT_EQ(risks(), 3u);
    EXPECT_TRUE(s.finding("EP301").inconclusive);
    for (int fd : {7, 8, 9})
        s.writable(fd, false);  // output waits, which may find out
    s.after_ms(1000);
    EXPECT_EQ(s.verdict("EP301"), "risk");
    EXPECT_EQ(risks(), 3u);
    EXPECT_FALSE(s.finding("EP301").inconclusive);
    for (int fd : {7, 8, 9})
        s.writable(fd, true);
    s.after_ms(1000);
    EXPECT_EQ(risks(), 3u);
    EXPECT_TRUE(s.finding("EP301").inconclusive);
}

TEST(HalfCloseMissed, ManyParkedBeforeWeLookedAreARiskAtMost)
{
    Scenario s;
    for (int fd = 10; fd < 60; fd++)
        s.seeded(fd, 0, FILE_TCP);
    for (int fd = 10; fd < 60; fd++)
        s.after_ms(150).wait().peer_closes(fd);
    s.after_ms(10000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, FirstSeenByItsModIsARiskAtMost)
{
    Scenario s;  // registered where we could not see it
    s.mod(7, 0).wait();
    s.state(7).sk_state = 1;
    s.peer_closes(7).at_ms(60000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(HalfCloseMissed, ReportedSinceWeLookedIsKnown)
{
    Scenario s;
    s.seeded(7, EPOLLIN, FILE_TCP).at_ms(500).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).mod(7, 0).wait();
    s.peer_closes(7).at_ms(5000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, EndThatWasThereAtTheAdd)
{
    Scenario s;  // no FIN is seen after this
    s.state(7).flags = STATE_RCV_SHUTDOWN;
    s.state(7).sk_state = 8;
    s.state(7).unread = 8;
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP).after_ms(1).delivered(7, EPOLLIN).read_to_the_end(7, 8).wait().at_ms(5000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, EndThatWasThereWhenTheEdgeWasReported)
{
    Scenario s;  // attached in between; the data and the end are taken by one read
    s.seeded(7, EPOLLIN | EPOLLET, FILE_TCP).wait();
    s.at_ms(500).arrives(7, 8);
    s.state(7).flags |= STATE_RCV_SHUTDOWN;
    s.state(7).sk_state = 8;
    s.delivered(7, EPOLLIN).read_to_the_end(7, 8).wait().at_ms(5000);
    EXPECT_EQ(s.alarms(), "EP301 likely");
}

TEST(HalfCloseMissed, EdgeOfTheEndBeforeWeLooked)
{
    Scenario s(Profile::kProduction);
    s.state(7).flags = STATE_RCV_SHUTDOWN | STATE_EOF_UNREAD;
    s.state(7).sk_state = 8;
    s.seeded(7, EPOLLIN | EPOLLET, FILE_TCP).wait().at_ms(29000);
    EXPECT_EQ(s.verdict("EP301"), "none");
    s.at_ms(35000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP301"), "risk");
    EXPECT_TRUE(s.finding("EP301").inconclusive);
}

}  // namespace
}  // namespace epaudit
