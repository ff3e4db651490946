// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& served_and_forgotten(Scenario& s, int fd)
{
    return s.add(fd, EPOLLIN, FILE_TCP)
        .arrives(fd, 5)
        .delivered(fd, EPOLLIN)
        .read(fd, 5)
        .write(fd, 20)
        .peer_closes(fd)
        .delivered(fd, EPOLLIN)
        .read(fd, 0)
        .del(fd)
        .wait();
}

TEST(CloseWaitLeak, GrowsAndNothingIsClosed)
{
    Scenario s;
    for (int fd = 10; fd < 90; fd++)
        served_and_forgotten(s.after_ms(80), fd);
    EXPECT_EQ(s.alarms(), "EP302 confirmed");
    Finding f = s.finding("EP302");
    EXPECT_GE(f.count, 10u);
    EXPECT_GE(f.fds, 10u);
    EXPECT_EQ(f.shape, "registered nowhere any more");
    EXPECT_EQ(f.subject_epoll, 0u);
}

// A handler that answers the end of the stream with shutdown(), and a proxy that passes it on: the connection is over, for
// both, and its descriptor is not.
TEST(CloseWaitLeak, ShutDownInsteadOfClosed)
{
    for (int how : {SHUT_WR, SHUT_RDWR}) {
        Scenario s;
        for (int fd = 10; fd < 90; fd++) {
            served_and_forgotten(s.after_ms(80), fd).shuts(fd, how);
            s.state(fd).sk_state = 7;  // CLOSE: the last acknowledgement has come
        }
        EXPECT_EQ(s.alarms(), "EP302 confirmed");
        EXPECT_EQ(s.finding("EP302").summary,
                  "both sides have ended the connection, by shutdown() here, and the program keeps the socket");
    }
}

TEST(CloseWaitLeak, ShutDownAndClosedLaterIsQuiet)
{
    Scenario s;
    for (int fd = 10; fd < 90; fd++) {
        served_and_forgotten(s.after_ms(80), fd).shuts(fd, SHUT_RDWR);
        s.state(fd).sk_state = 7;
        if (fd >= 15)
            s.close(fd - 5);
    }
    EXPECT_EQ(s.verdict("EP302"), "none");
}

TEST(CloseWaitLeak, RdhupKnownAndKeptRegistered)
{
    Scenario s;
    for (int fd = 10; fd < 90; fd++)
        s.after_ms(80).add(fd, EPOLLRDHUP | EPOLLET, FILE_TCP).peer_closes(fd).delivered(fd, EPOLLRDHUP).wait();
    EXPECT_EQ(s.alarms(), "EP302 confirmed");
}

TEST(CloseWaitLeak, OneSocketIsARisk)
{
    Scenario s;
    served_and_forgotten(s, 10).after_ms(10000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, ManyThatDoNotGrowAreARisk)
{
    Scenario s;
    for (int fd = 10; fd < 40; fd++)
        served_and_forgotten(s, fd);
    s.after_ms(20000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, SlowClosingUnderRisingLoadIsNoLeak)
{
    Scenario s;  // each is closed in the end, 3 s after the peer; meanwhile more and more come
    std::vector<std::pair<uint64_t, int>> open;
    int fd = 10;
    for (uint64_t ms = 0; ms < 12000; ms += 100) {
        s.at_ms(ms);
        for (uint64_t n = 0; n <= ms / 1000; n++) {
            served_and_forgotten(s, fd);
            open.emplace_back(ms + 3000, fd++);
        }
        while (!open.empty() && open.front().first <= ms) {
            s.close(open.front().second);
            open.erase(open.begin());
        }
    }
    EXPECT_EQ(s.alarms(), "");
}

TEST(CloseWaitLeak, ClosedAtOnceIsQuiet)
{
    Scenario s;
    for (int fd = 10; fd < 90; fd++)
        served_and_forgotten(s.after_ms(80), fd).close(fd);
    EXPECT_EQ(s.verdict("EP302"), "none");
}

TEST(CloseWaitLeak, HalfClosedButStillServed)
{
    Scenario s;
    for (int fd = 10; fd < 40; fd++)
        served_and_forgotten(s, fd);
    for (int i = 0; i < 10; i++) {
        s.after_ms(1000);
        for (int fd = 10; fd < 40; fd++)
            s.write(fd, 10);
    }
    EXPECT_EQ(s.verdict("EP302"), "none");
}

TEST(CloseWaitLeak, ProductionTakesMinutes)
{
    Scenario s(Profile::kProduction);
    for (int fd = 10; fd < 110; fd++)
        served_and_forgotten(s.after_ms(3000), fd);
    EXPECT_EQ(s.alarms(), "");  // 300 s
    for (int fd = 110; fd < 210; fd++)
        served_and_forgotten(s.after_ms(3000), fd);
    EXPECT_EQ(s.alarms(), "EP302 confirmed");
}

// Accepted by the loop that reads it.
Scenario& accepted(Scenario& s, int fd)
{
    return s.delivered(3, EPOLLIN).accept(3, fd).add(fd, EPOLLIN | EPOLLET, FILE_TCP).wait();
}

Scenario& ended_and_forgotten(Scenario& s, int fd)
{
    return accepted(s, fd).peer_closes(fd).delivered(fd, EPOLLIN).read(fd, 0).wait();
}

Scenario& burst(Scenario& s, int last)
{
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int fd = 10; fd < last; fd++)
        ended_and_forgotten(s, fd);
    return s;
}

TEST(CloseWaitLeak, ABurstThatStaysIsLikely)
{
    Scenario s;
    burst(s, 40).at_ms(3500);
    EXPECT_EQ(s.verdict("EP302"), "risk");
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "EP302 likely");
    EXPECT_EQ(s.finding("EP302").summary, "the program knows that its peers have closed and keeps the sockets");
}

TEST(CloseWaitLeak, FewAreARisk)
{
    Scenario s;
    burst(s, 19).at_ms(9000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, ABurstInProductionTakesHalfAnHour)
{
    Scenario s(Profile::kProduction);
    burst(s, 40).at_ms(1790000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
    s.at_ms(1810000);
    EXPECT_EQ(s.alarms(), "EP302 likely");
}

// Whose end an event told, and who never reads, may have another use for the socket (Go registers for all there is).
TEST(CloseWaitLeak, ABurstToldByEventsAloneIsARisk)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int fd = 10; fd < 40; fd++)
        accepted(s, fd).peer_closes(fd).delivered(fd, EPOLLIN | EPOLLRDHUP).wait();
    s.at_ms(9000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

// A proxy: the other half of each goes on.
TEST(CloseWaitLeak, ABurstOfAProgramThatTalksToOthersIsARisk)
{
    Scenario s;
    burst(s, 40).writes_unwatched(9).at_ms(9000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, ABurstHandedOnIsARisk)
{
    Scenario s(Profile::kProduction);
    burst(s, 40).wakes_thread().at_ms(3000000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, ABurstWithOutputPendingIsARisk)
{
    Scenario s;
    burst(s, 10);
    for (int fd = 10; fd < 40; fd++)
        accepted(s, fd)
            .write(fd, 10, 4096)
            .writable(fd, false)
            .peer_closes(fd)
            .delivered(fd, EPOLLIN)
            .read(fd, 0)
            .wait();
    s.at_ms(9000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, WhoClosesInTheEndTakesItsTime)
{
    Scenario s;
    burst(s, 40).at_ms(3000).close(39).at_ms(9000);
    EXPECT_EQ(s.verdict("EP302"), "risk");
}

TEST(CloseWaitLeak, ResetsThatNobodyCloses)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int fd : {10, 11, 12}) {
        accepted(s, fd).reset(fd).delivered(fd, EPOLLIN | EPOLLERR | EPOLLHUP).read(fd, -ECONNRESET);
        s.wait();
    }
    s.at_ms(3500);
    EXPECT_EQ(s.alarms(), "");
    s.at_ms(6000);
    EXPECT_EQ(s.alarms(), "EP302 likely");
    EXPECT_EQ(s.finding("EP302").summary, "the connection was reset, the program was told, and keeps the socket");
}

TEST(CloseWaitLeak, ResetsThatAWriteTold)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int fd : {10, 11, 12})
        accepted(s, fd)
            .write(fd, 10, 4096)
            .reset(fd)
            .delivered(fd, EPOLLOUT | EPOLLERR | EPOLLHUP)
            .write(fd, -EPIPE)
            .wait();
    s.at_ms(6000);
    EXPECT_EQ(s.verdict("EP302"), "likely");
}

TEST(CloseWaitLeak, AResetThatNobodyReadIsNone)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int fd : {10, 11, 12}) {
        accepted(s, fd).reset(fd).delivered(fd, EPOLLIN | EPOLLERR | EPOLLHUP);
        s.wait();
    }
    s.at_ms(9000);
    EXPECT_EQ(s.verdict("EP302"), "none");
}

}  // namespace
}  // namespace epaudit
