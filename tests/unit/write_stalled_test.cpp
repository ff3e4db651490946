// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kInRdHup = EPOLLIN | EPOLLRDHUP;

// A request whose answer does not fit; later the peer makes room.
Scenario& cut(Scenario& s, int fd)
{
    s.arrives(fd, 10).delivered(fd, EPOLLIN).read(fd, 10).write(fd, 5000, 9000).write(fd, -EAGAIN);
    return s.writable(fd, false);
}

// Other work, so that the loop is seen to wait again.
Scenario& ticks(Scenario& s, int times)
{
    for (int i = 0; i < times; i++)
        s.after_ms(250).arrives(9, 1).delivered(9, EPOLLIN).read(9, 1).wait();
    return s;
}

TEST(WriteStalled, NoEpolloutIsLikely)
{
    Scenario s;
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait();
    ticks(s.writable(7, true), 3);
    EXPECT_EQ(s.verdict("EP105"), "none");
    ticks(s, 4);
    EXPECT_EQ(s.alarms(), "EP105 likely");
    EXPECT_EQ(s.finding("EP105").shape, "mask without EPOLLOUT");
    EXPECT_GE(s.finding("EP105").cost[0].second, 1.0);
}

// A vector of unknown length that left the send buffer full may have been sent whole (node, Java NIO).
TEST(WriteStalled, AFullBufferIsNoTail)
{
    for (bool eagain : {false, true}) {
        Scenario s;
        s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
        s.arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).writable(7, false).writes_from(7, 0, 9000, 0);
        if (eagain)
            s.write(7, -EAGAIN);
        ticks(s.wait().writable(7, true), 8);
        EXPECT_EQ(s.alarms(), eagain ? "EP105 likely" : "") << eagain;
    }
}

TEST(WriteStalled, FullWhenWeCameAndForgottenWhenItDrains)
{
    for (uint8_t kind : {FILE_TCP, FILE_UNIX}) {
        Scenario s;  // whether some is left is not known: a risk, and no claim that all is well
        s.seeded(7, kInRdHup, kind, POSTING_FULL).seeded(9, EPOLLIN, FILE_TCP);
        s.state(7).sk_state = 1;  // connected
        s.wait().after_ms(5000);
        EXPECT_EQ(s.verdict("EP105"), "none") << "the peer is slow";
        s.writable(7, true).after_ms(2000);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP105"), "risk");
        ASSERT_TRUE(s.finding("EP105").inconclusive);
        EXPECT_EQ(s.finding("EP105").inconclusive->why, Inconclusive::kHungFromStart);
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).write(7, 50).wait().after_ms(500);
        EXPECT_EQ(s.verdict("EP105"), "none") << "it lives";
    }
}

TEST(WriteStalled, FullWhenWeCameAndResumed)
{
    Scenario s;
    s.seeded(7, kInRdHup | EPOLLOUT, FILE_TCP, POSTING_FULL).wait().after_ms(500).writable(7, true);
    s.delivered(7, EPOLLOUT).write(7, 5000).mod(7, kInRdHup).wait().after_ms(5000);
    EXPECT_EQ(s.verdict("EP105"), "none");
    Scenario armed;  // EPOLLOUT is asked for: the loop is told
    armed.seeded(7, kInRdHup | EPOLLOUT, FILE_TCP, POSTING_FULL).wait().after_ms(500).writable(7, true).after_ms(5000);
    EXPECT_EQ(armed.verdict("EP105"), "none");
}

TEST(WriteStalled, ProductionWaitsTenSeconds)
{
    Scenario s(Profile::kProduction);
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait();
    ticks(s.writable(7, true), 36);
    EXPECT_EQ(s.alarms(), "");
    ticks(s, 10);
    EXPECT_EQ(s.alarms(), "EP105 likely");
}

TEST(WriteStalled, ThreeTailsAreConfirmed)
{
    Scenario s;
    s.add(9, EPOLLIN, FILE_TCP);
    for (int fd : {6, 7, 8})
        cut(s.add(fd, kInRdHup, FILE_TCP), fd).wait().writable(fd, true);
    ticks(s, 8);
    EXPECT_EQ(s.alarms(), "EP105 confirmed");
    EXPECT_EQ(s.finding("EP105").fds, 3u);
}

TEST(WriteStalled, TheEdgeHasPassed)
{
    Scenario s;  // Netty #7730: EPOLLOUT told once under EPOLLET, not answered
    s.add(7, kInRdHup | EPOLLOUT | EPOLLET, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait();
    ticks(s.writable(7, true).delivered(7, EPOLLOUT).wait(), 8);
    EXPECT_EQ(s.alarms(), "EP105 likely");
    EXPECT_EQ(s.finding("EP105").shape, "EPOLLOUT delivered once under EPOLLET and not answered");
}

TEST(WriteStalled, TheNextRequestBringsOutTheTail)
{
    Scenario s;
    s.add(7, kInRdHup, FILE_TCP);
    for (int i = 0; i < 3; i++) {
        cut(s, 7).wait().writable(7, true).after_ms(1800);
        s.arrives(7, 3).delivered(7, EPOLLIN).read(7, 3).write(7, 4000).wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.alarms(), "EP105 confirmed");
    EXPECT_EQ(s.finding("EP105").shape, "the rest sent after an unrelated event");
}

TEST(WriteStalled, FixedArmsEpollout)
{
    Scenario s;
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 5; i++) {
        cut(s, 7).mod(7, kInRdHup | EPOLLOUT).wait();
        ticks(s, 8);
        s.writable(7, true).delivered(7, EPOLLOUT).write(7, 4000).mod(7, kInRdHup).wait();
    }
    ticks(s, 20);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, ASlowReaderIsNoFault)
{
    Scenario s;  // the queue is still full
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait();
    ticks(s, 60);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, NginxLimitRateResumesByTimer)
{
    Scenario s;
    s.add(7, kInRdHup | EPOLLET, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait(1000);
    s.writable(7, true).after_ms(1000).returned(0).write(7, 4000, 9000).wait(1000);  // eventless
    cut(s, 7).wait(5000);
    ticks(s.writable(7, true), 20);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP105"), "risk");
}

TEST(WriteStalled, TakenBackWhenTheProgramResumesByItself)
{
    Scenario s;
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait();
    ticks(s.writable(7, true), 8);
    EXPECT_EQ(s.alarms(), "EP105 likely");
    s.after_ms(100).returned(0).write(7, 4000).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(WriteStalled, PipesDatagramsAndUnknownKindsAreLeftAlone)
{
    Scenario s;
    s.add(9, EPOLLIN, FILE_TCP);
    for (auto [fd, kind] : {std::pair{5, FILE_PIPE}, {6, FILE_UDP}, {7, FILE_OTHER}, {8, FILE_EVENTFD}})
        s.add(fd, EPOLLIN, kind).write(fd, 10, 20).write(fd, -EAGAIN);
    s.wait();
    ticks(s, 20);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, SocketpairInOneProcessIsASelfPipe)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_UNIX).add(9, EPOLLIN, FILE_TCP);
    s.state(7).sk_state = 1;
    cut(s, 7).wait().writable(7, true);
    s.state(7).flags |= STATE_PEER_SELF;
    ticks(s, 20);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, AnotherRegistrationMayTell)
{
    Scenario s;  // facil.io: one epoll for input, one for output
    s.epoll(5).add(7, EPOLLOUT, FILE_TCP).epoll(4).add(7, EPOLLIN, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait();
    ticks(s.writable(7, true), 20);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, ShutForWritingOwesNothing)
{
    Scenario s;
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).shutdown_write(7).wait();
    ticks(s.writable(7, true), 20);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, ProgressByIoUringCounts)
{
    Scenario s;  // write_seq moves, no call is seen
    s.add(7, kInRdHup, FILE_TCP).add(9, EPOLLIN, FILE_TCP);
    cut(s, 7).wait().writable(7, true);
    for (int i = 0; i < 20; i++) {
        s.sent_unseen(7, 100);
        ticks(s, 2);
    }
    EXPECT_EQ(s.alarms(), "");
}

// --- what was sent next ---------------------------------------------------------------------------

const std::string kAnswer = "HTTP/1.1 200 OK, and a body that does not fit into the buffer of the socket";
const std::string kNotModified = "HTTP/1.1 304 Not Modified";
constexpr int64_t kTaken = 20;

Scenario& asks(Scenario& s, int fd) { return s.arrives(fd, 10).delivered(fd, EPOLLIN).read(fd, 10); }

TEST(WriteStalled, OtherBytesInPlaceOfTheRest)
{
    Scenario s;  // what the last write left is forgotten
    s.add(7, kInRdHup, FILE_TCP);
    asks(s, 7).sends(7, kAnswer, kTaken).wait().after_ms(300);
    EXPECT_EQ(s.alarms(), "") << "it may still come";
    asks(s, 7).sends(7, kNotModified, static_cast<int64_t>(kNotModified.size())).wait().after_ms(300);
    EXPECT_EQ(s.alarms(), "EP105 likely");
    EXPECT_EQ(s.finding("EP105").cost[0].second, static_cast<double>(kAnswer.size()) - kTaken);
    for (int i = 0; i < 2; i++)
        asks(s, 7).sends(7, kAnswer, kTaken).wait();
    asks(s, 7).sends(7, kNotModified, 10).wait().after_ms(300);
    EXPECT_EQ(s.alarms(), "EP105 confirmed") << "the whole of an answer is no rest of one either";
}

TEST(WriteStalled, OtherBytesAfterTheEdgeOfNewRoom)
{
    Scenario s;
    s.add(7, kInRdHup | EPOLLOUT | EPOLLET, FILE_TCP);
    asks(s, 7).sends(7, kAnswer, kTaken).sends(7, kAnswer.substr(kTaken), -EAGAIN).wait().writable(7, true);
    s.delivered(7, EPOLLIN | EPOLLOUT).read(7, 10).sends(7, kNotModified, 10).wait().after_ms(300);
    EXPECT_EQ(s.alarms(), "EP105 likely");
}

TEST(WriteStalled, TheRestFromWhereverItIsKept)
{
    Scenario s;  // moved to the front of the buffer, with more behind it, a piece at a time
    s.add(7, kInRdHup, FILE_TCP);
    for (int i = 0; i < 5; i++) {
        asks(s, 7).sends(7, kAnswer, kTaken).sends(7, kAnswer.substr(kTaken), -EAGAIN).mod(7, EPOLLOUT).wait();
        s.delivered(7, EPOLLOUT).sends(7, kAnswer.substr(kTaken) + kNotModified, 15);
        s.sends(7, kAnswer.substr(kTaken + 15, 10), 10)
            .sends(7, kAnswer.substr(kTaken + 25), 30)
            .mod(7, kInRdHup)
            .wait();
    }
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(WriteStalled, BytesThatAreNotKnown)
{
    Scenario s;  // a vector, or sendfile; and what is too short to be told apart
    s.add(7, kInRdHup, FILE_TCP);
    for (int i = 0; i < 5; i++) {
        asks(s, 7)
            .sends(7, kAnswer, kTaken)
            .writes_from(7, 0, 500, 0)
            .sends(7, kNotModified, 10)
            .writes_from(7, 0, 500, 0)
            .wait();
        asks(s, 7).sends(7, "0123456789", 5).sends(7, kNotModified, static_cast<int64_t>(kNotModified.size())).wait();
        asks(s, 7).sends(7, kAnswer, kTaken).sends(7, "short", 5).wait();
    }
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, AnothersBytesAreNoLostRest)
{
    Scenario s;  // EP502: the rest may still come
    s.add(7, kInRdHup, FILE_TCP);
    asks(s, 7).thread(100).sends(7, kAnswer, kTaken).thread(101).sends(7, kNotModified, 25).after_ms(300);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, AnothersBytesAfterEpolloutAreTwoWriters)
{
    Scenario s;  // a pool without EPOLLONESHOT: one is told that there is room, and answers something else
    s.add(7, kInRdHup, FILE_TCP);
    for (int i = 0; i < 3; i++) {
        asks(s, 7).thread(100).sends(7, kAnswer, kTaken).mod(7, EPOLLOUT).wait();
        s.thread(101).delivered(7, EPOLLOUT).sends(7, kNotModified, 25).mod(7, kInRdHup).wait();
    }
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP105"), "none");
    EXPECT_EQ(s.verdict("EP502"), "likely");
}

// --- closed at the first EAGAIN -------------------------------------------------------------------

Scenario& slow_reader(Scenario& s, int fd)
{
    s.add(fd, kInRdHup, FILE_TCP).wait().after_us(5);
    return asks(s, fd).write(fd, 5000, 9000).write(fd, 2000, 4000).write(fd, -EAGAIN).writable(fd, false).after_us(5);
}

TEST(WriteStalled, EagainTakenForAnError)
{
    for (bool del : {false, true}) {
        Scenario s(Profile::kProduction);
        s.add(3, EPOLLIN, FILE_LISTENER);
        for (int fd : {7, 8, 9}) {
            slow_reader(s, fd);
            if (del)
                s.del(fd);
            s.close(fd).wait();
        }
        s.after_ms(300);
        EXPECT_EQ(s.alarms(), "EP105 likely") << del;
    }
}

TEST(WriteStalled, ClosedAfterAWaitForRoom)
{
    Scenario s;  // a time-out
    for (int fd : {7, 8, 9}) {
        slow_reader(s, fd).mod(fd, EPOLLOUT).wait(1000).after_ms(1000).returned(0).close(fd);
    }
    s.wait().after_ms(300);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, ClosedBecauseThePeerHasGone)
{
    Scenario s;
    for (int fd : {7, 8, 9})
        slow_reader(s, fd).peer_closes(fd).close(fd).wait();
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

TEST(WriteStalled, OneThatWaitsForOthersHasItsReasons)
{
    Scenario s;  // it drops those who have more than their share outstanding
    slow_reader(s, 6)
        .mod(6, kInRdHup | EPOLLOUT)
        .wait()
        .writable(6, true)
        .delivered(6, EPOLLOUT)
        .write(6, 4000)
        .mod(6, kInRdHup);
    for (int fd : {7, 8, 9})
        slow_reader(s, fd).close(fd).wait();
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

}  // namespace
}  // namespace epaudit
