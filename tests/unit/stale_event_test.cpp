// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& pair(Scenario& s) { return s.add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, FILE_TCP).wait(); }

// One batch with events of both; the handler of 7 closes both.
void both_leave(Scenario& s)
{
    s.peer_closes(7).peer_closes(8).delivers({{7, EPOLLIN}, {8, EPOLLIN}}).read(7, 0).close(7).close(8);
}

TEST(StaleEvent, HandledAfterItsFdWasClosed)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        for (int i = 0; i < 2; i++) {
            both_leave(pair(s));
            s.fails_on(8, POSTING_READ, EBADF).wait().after_ms(300);
            EXPECT_EQ(s.verdict("EP504"), i ? "confirmed" : "risk");
        }
        EXPECT_EQ(s.alarms(), "EP504 confirmed");
        EXPECT_EQ(s.finding("EP504").shape, "delivered, closed unhandled, then read = EBADF");
        EXPECT_EQ(s.finding("EP504").timeline.size(), 3u);
    }
}

TEST(StaleEvent, RemovedAndClosed)
{
    Scenario s;
    for (int i = 0; i < 2; i++) {
        pair(s).peer_closes(7).peer_closes(8).delivers({{7, EPOLLIN}, {8, EPOLLIN}}).read(7, 0);
        s.del(7).close(7).del(8).close(8).fails_on(8, POSTING_WRITE, EBADF).wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP504 confirmed");
}

TEST(StaleEvent, ReusedForSomethingThatIsNoSocket)
{
    Scenario s;
    for (int i = 0; i < 2; i++) {
        both_leave(pair(s));
        s.fails_on(8, POSTING_READ, ENOTSOCK).wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP504 confirmed");
}

TEST(StaleEvent, ManyCallsOfOneHandlerAreOneMistake)
{
    Scenario s;
    both_leave(pair(s));
    s.fails_on(8, POSTING_READ, EBADF)
        .fails_on(8, POSTING_WRITE, EBADF)
        .fails_on(8, POSTING_READ, EBADF)
        .wait()
        .after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "risk");
}

TEST(StaleEvent, ProgramsThatNoticeMakeNoCall)
{
    Scenario s;  // nginx, haproxy, libev, Go, libuv, redis
    for (int i = 0; i < 20; i++) {
        both_leave(pair(s));
        s.wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "none");
}

TEST(StaleEvent, ClosedAfterTheBatch)
{
    Scenario s;  // lighttpd, muduo
    for (int i = 0; i < 20; i++)
        pair(s)
            .peer_closes(7)
            .peer_closes(8)
            .delivers({{7, EPOLLIN}, {8, EPOLLIN}})
            .read(7, 0)
            .read(8, 0)
            .close(7)
            .close(8)
            .wait();
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "none");
}

TEST(StaleEvent, BadFdInALaterPassIsAnotherBug)
{
    Scenario s;
    for (int i = 0; i < 20; i++) {
        both_leave(pair(s));
        s.wait().after_ms(1).returned(0).fails_on(8, POSTING_READ, EBADF).wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "none");
}

TEST(StaleEvent, ClosedAfterItsEventWasHandled)
{
    Scenario s;  // served, closed, and then used once more: not this rule's business
    for (int i = 0; i < 20; i++) {
        pair(s).peer_closes(8).delivered(8, EPOLLIN).read(8, 0).close(8).fails_on(8, POSTING_READ, EBADF).wait();
        s.close(7);
    }
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "none");
}

TEST(StaleEvent, BadFdWithoutAnEvent)
{
    Scenario s;
    pair(s);
    for (int i = 0; i < 20; i++)
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).fails_on(30, POSTING_READ, EBADF).wait();
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "none");
}

TEST(StaleEvent, AnotherThreadsBatch)
{
    Scenario s;  // 101 gets EBADF for a number of 100's batch: it never had an event for it
    for (int i = 0; i < 20; i++) {
        both_leave(pair(s));
        s.thread(101).fails_on(8, POSTING_READ, EBADF).thread(100).wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP504"), "none");
}

// A worker that was passed the connection is done with it first: it closes its number, is told once more because the
// master still has the file, and the master's close comes before its call. Nothing in its batch closed anything.
TEST(StaleEvent, TheLastCloseOfAGhostIsNotOfTheBatch)
{
    Scenario s;
    for (int i = 0; i < 3; i++) {
        s.process(200).add(7, EPOLLIN, FILE_TCP).wait().peer_closes(7).delivered(7, EPOLLIN).read(7, 0);
        s.close_number(7).wait().after_us(200).delivered(7, EPOLLIN).process(100).close(7);
        s.process(200).fails_on(7, POSTING_READ, EBADF).wait().after_ms(300);
    }
    EXPECT_EQ(s.verdict("EP504"), "none");
}

}  // namespace
}  // namespace epaudit
