// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& one_accept_of_three(Scenario& s) { return s.arrives(3, 3).delivered(3, EPOLLIN).accept(3, 20).wait(); }

TEST(EtAcceptNotDrained, BacklogLeftAfterEachEdgeIsConfirmed)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER);
    for (int i = 0; i < 6; i++)
        one_accept_of_three(s.after_ms(300));
    s.after_ms(200);
    EXPECT_EQ(s.alarms(), "EP102 confirmed");
    EXPECT_GE(s.finding("EP102").count, 3u);
}

TEST(EtAcceptNotDrained, AskedAgainWhenThereIsRoomForOneMore)
{
    Scenario s;  // no more than so many clients: one leaves, and the listener is armed again, which reports what waits
    s.add(3, kEdge, FILE_LISTENER).arrives(3, 9).delivered(3, EPOLLIN).accept(3, 20).accept(3, 21).wait();
    for (int i = 0; i < 6; i++)
        s.after_ms(700).mod(3, kEdge).wait().delivered(3, EPOLLIN).accept(3, 20).wait();
    s.after_ms(2000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtAcceptNotDrained, BacklogWhileTheLoopSleepsIsLikely)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER);
    one_accept_of_three(s.at_ms(500));
    s.at_ms(1400);
    EXPECT_EQ(s.verdict("EP102"), "none");
    s.at_ms(2600);
    EXPECT_EQ(s.alarms(), "EP102 likely");
}

TEST(EtAcceptNotDrained, ToldAndNeverTriedIsLikely)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER);
    for (int i = 0; i < 4; i++)
        s.after_ms(200).arrives(3, 1).delivered(3, EPOLLIN).wait();
    s.at_ms(1500);
    EXPECT_EQ(s.verdict("EP102"), "none");
    s.at_ms(4000);
    EXPECT_EQ(s.alarms(), "EP102 likely");
    EXPECT_EQ(s.finding("EP102").shape, "told, and never accepted");
}

TEST(EtAcceptNotDrained, ToldAndAcceptedByAnotherThreadLaterIsARisk)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER).arrives(3, 1).delivered(3, EPOLLIN).wakes_thread().wait();
    s.at_ms(4000);
    EXPECT_EQ(s.verdict("EP102"), "risk");
}

TEST(EtAcceptNotDrained, NeverTriedWaitsLongInProduction)
{
    Scenario s(Profile::kProduction);  // it may still be starting
    s.add(3, kEdge, FILE_LISTENER).arrives(3, 1).delivered(3, EPOLLIN).wait();
    s.at_ms(29000);
    EXPECT_EQ(s.verdict("EP102"), "none");
    s.at_ms(32000);
    EXPECT_EQ(s.alarms(), "EP102 likely");
}

TEST(EtAcceptNotDrained, DrainedToEagainIsQuiet)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER);
    for (int i = 0; i < 10; i++) {
        s.after_ms(300).arrives(3, 2).delivered(3, EPOLLIN);
        s.accept(3, 20).accept(3, 21).accept(3, -EAGAIN).wait();
    }
    s.after_ms(5000);
    EXPECT_EQ(s.verdict("EP102"), "none");
}

TEST(EtAcceptNotDrained, BurstsThatAreYoungAreQuiet)
{
    Scenario s;  // connections arrive faster than accepts, but none waits 200 ms
    s.add(3, kEdge, FILE_LISTENER);
    for (int i = 0; i < 50; i++) {
        s.after_ms(5).arrives(3, 2).delivered(3, EPOLLIN).accept(3, 20).wait();
        s.after_ms(5).arrives(3, 0).delivered(3, EPOLLIN).accept(3, 20).wait();
    }
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtAcceptNotDrained, AsioAcceptsWithoutEvents)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER).accept(3, -EAGAIN).wait();  // before the first edge
    one_accept_of_three(s.at_ms(500));
    s.at_ms(8000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP102"), "risk");
}

TEST(EtAcceptNotDrained, LimitedListenerComesBackLater)
{
    Scenario s;  // Go LimitListener, sozu: accepts again when a connection ends
    s.add(3, kEdge, FILE_LISTENER);
    one_accept_of_three(s.at_ms(500));
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP102 likely");
    s.accept(3, 21).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "");  // withdrawn
}

TEST(EtAcceptNotDrained, StarvedAndForgottenIsConfirmed)
{
    Scenario s;  // lwan under fd exhaustion
    s.add(3, kEdge, FILE_LISTENER).at_ms(2000).arrives(3, 2).delivered(3, EPOLLIN).accept(3, -EMFILE).wait();
    s.after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP102 confirmed");
    EXPECT_EQ(s.finding("EP102").shape, "accept = EMFILE ended the pass");
}

TEST(EtAcceptNotDrained, StarvedAndBackInASecondIsQuiet)
{
    Scenario s;  // Go, axum: sleep up to 1 s, then accept again without an event
    s.add(3, kEdge, FILE_LISTENER).at_ms(2000).arrives(3, 2).delivered(3, EPOLLIN).accept(3, -EMFILE).wait(900);
    for (int i = 0; i < 5; i++)
        s.after_ms(900).returned(0).accept(3, -EMFILE).wait(900);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtAcceptNotDrained, LevelTriggeredListenersAreLeftAlone)
{
    Scenario s;  // nginx: one accept per event, never EAGAIN
    s.add(3, EPOLLIN, FILE_LISTENER);
    for (int i = 0; i < 10; i++)
        one_accept_of_three(s.after_ms(300));
    EXPECT_EQ(s.verdict("EP102"), "none");
}

TEST(EtAcceptNotDrained, OtherAcceptorsMayTakeThem)
{
    Scenario s;
    s.epoll(5).add(3, kEdge, FILE_LISTENER).epoll(4).add(3, kEdge, FILE_LISTENER);
    one_accept_of_three(s.at_ms(500));
    s.at_ms(5000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EtAcceptNotDrained, BacklogFromTheStart)
{
    Scenario s;
    s.seeded(7, EPOLLIN | EPOLLET, FILE_LISTENER).arrives(7, 3).wait().at_ms(5000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP102"), "risk");
    EXPECT_TRUE(s.finding("EP102").inconclusive);
}

TEST(EtAcceptNotDrained, LevelTriggeredBacklogFromTheStartIsReported)
{
    Scenario s;
    s.seeded(7, EPOLLIN, FILE_LISTENER).arrives(7, 3).wait().at_ms(5000);
    EXPECT_EQ(s.verdict("EP102"), "none");
}

}  // namespace
}  // namespace epaudit
