// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kOutEdge = EPOLLOUT | EPOLLET;

// A request is read, and the mask turned to output to answer it.
Scenario& request(Scenario& s, int fd, uint32_t mask)
{
    return s.add(fd, EPOLLIN | EPOLLET, FILE_TCP)
        .ready(fd)
        .arrives(fd, 40)
        .delivered(fd, EPOLLIN)
        .read(fd, 40)
        .mod(fd, mask);
}

Scenario& answered(Scenario& s, int fd) { return s.delivered(fd, EPOLLOUT).write(fd, 100).wait(); }

// The client has its answer and asks again.
Scenario& asks_again(Scenario& s, int fd) { return s.after_ms(10).ready(fd).arrives(fd, 40); }

TEST(DeafRegistration, MaskStuckAtOutput)
{
    Scenario s;
    answered(request(s, 7, kOutEdge), 7);
    asks_again(s, 7).at_ms(900);
    EXPECT_EQ(s.verdict("EP106"), "none");
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
    EXPECT_EQ(s.finding("EP106").fd.number, 7);
}

TEST(DeafRegistration, ListenerThatAsksForRoom)
{
    for (uint32_t mask : {uint32_t{EPOLLOUT}, kOutEdge, EPOLLOUT | EPOLLONESHOT}) {
        Scenario s;
        s.add(3, mask, FILE_LISTENER).wait().arrives(3, 4).at_ms(900);
        EXPECT_EQ(s.verdict("EP106"), "none");
        s.at_ms(3000);
        EXPECT_EQ(s.alarms(), "EP106 likely");
        EXPECT_EQ(s.finding("EP106").shape, "a listener with EPOLLOUT and without EPOLLIN");
    }
}

TEST(DeafRegistration, ListenerPausedWithAnEmptyMask)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait().delivered(3, EPOLLIN).accept(3, 7).mod(3, 0).wait().arrives(3, 4);
    s.at_ms(9000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, TenSecondsInProduction)
{
    Scenario s(Profile::kProduction);
    answered(request(s, 7, kOutEdge), 7);
    asks_again(s, 7).at_ms(9000);
    EXPECT_EQ(s.verdict("EP106"), "none");
    s.at_ms(12000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, OutputTakenOutAndInputForgotten)
{
    Scenario s;  // level-triggered: EPOLLOUT is removed when all is sent, and nothing is left
    answered(request(s, 7, EPOLLOUT), 7).mod(7, 0).wait();
    asks_again(s, 7).at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, WithoutCallbacksTheDeliveryTells)
{
    Scenario s;  // hooks that do not see readiness: nothing was unread when EPOLLOUT came
    answered(request(s, 7, kOutEdge), 7).after_ms(10).arrives(7, 40).at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, ThreeOfThemAreConfirmed)
{
    Scenario s;
    for (int fd : {7, 8, 9})
        answered(request(s, fd, kOutEdge), fd);
    for (int fd : {7, 8, 9})
        asks_again(s, fd);
    s.at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 confirmed");
}

TEST(DeafRegistration, UnixSocketToo)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_UNIX).ready(7).arrives(7, 1).delivered(7, EPOLLIN).read(7, 1).write(7, 10).mod(7, 0).wait();
    asks_again(s, 7).at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, InputAskedForAgainIsQuiet)
{
    Scenario s;
    for (int i = 0; i < 5; i++)
        answered(request(s, 7, EPOLLOUT), 7).mod(7, EPOLLIN).wait().after_ms(1000).del(7);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, NothingUnreadIsQuiet)
{
    Scenario s;
    answered(request(s, 7, kOutEdge), 7).at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, OutputUnderWayIsBackPressure)
{
    for (bool cut : {true, false}) {
        Scenario s;
        request(s, 7, EPOLLOUT).delivered(7, EPOLLOUT).write(7, 1000, cut ? 5000 : 1000).writable(7, false).wait();
        asks_again(s, 7).at_ms(20000);
        EXPECT_EQ(s.verdict("EP106"), "none") << cut;
    }
}

TEST(DeafRegistration, UpstreamWithoutRoom)
{
    for (bool cut : {true, false}) {
        Scenario s;  // a proxy holds the client back while its server does not read
        s.add(8, EPOLLIN | EPOLLOUT, FILE_TCP);
        answered(request(s, 7, EPOLLOUT), 7).mod(7, 0);
        if (cut)
            s.write(8, 1000, 5000);
        s.writable(8, false).wait();
        asks_again(s, 7).at_ms(20000);
        EXPECT_EQ(s.alarms(), "") << cut;
        EXPECT_EQ(s.verdict("EP106"), "risk") << cut;
    }
}

TEST(DeafRegistration, LongPollHasNotAnsweredYet)
{
    Scenario s;  // h2o, tornado: input is off while a handler waits; the client pipelines
    request(s, 7, 0).wait();
    asks_again(s, 7).at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, PipelinedBeforeTheAnswerBegan)
{
    Scenario s;  // the header of an answer is out, its body is still awaited from an upstream
    request(s, 7, 0).ready(7).arrives(7, 40).after_ms(5).write(7, 100).wait().at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, ParkedWithRdhup)
{
    Scenario s;  // lwan, lighttpd, Netty with autoRead off
    answered(request(s, 7, EPOLLOUT), 7).mod(7, EPOLLRDHUP).wait();
    asks_again(s, 7).at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, FiredOneshotIsAnotherRules)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_TCP).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).write(7, 5).wait();
    asks_again(s, 7).at_ms(5000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, AnotherEpollListens)
{
    Scenario s;  // facil.io: a set for input, a set for output
    s.epoll(5).add(7, EPOLLIN, FILE_TCP).epoll(4).add(7, kOutEdge, FILE_TCP).delivered(7, EPOLLOUT).write(7, 10).wait();
    asks_again(s, 7).at_ms(5000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, ProgramThatTakesItsTimeWithAll)
{
    Scenario s;  // a rate limit: each client is paused for 1.5 s after each answer
    s.add(20, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 5; i++) {
        s.arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).write(20, 10).mod(20, 0).wait();
        s.after_ms(1500).mod(20, EPOLLIN).wait();
    }
    answered(request(s, 7, EPOLLOUT), 7).mod(7, 0).wait();
    asks_again(s, 7).after_ms(8000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, QueuedForABusyThreadPool)
{
    Scenario s;  // slapd
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 20).delivered(7, EPOLLIN).mod(7, 0).wakes_thread().wait().at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, SchedulersThatNeverWait)
{
    Scenario s;  // Erlang, {active, false}: one thread waits, others read, write and arm
    s.thread(101).wait().thread(102).add(7, EPOLLIN, FILE_TCP).arrives(7, 20).thread(101).delivered(7, EPOLLIN).wait();
    s.thread(102).read(7, 20).write(7, 20).mod(7, 0);
    asks_again(s, 7).at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP106"), "risk");
}

TEST(DeafRegistration, HandedToAWorker)
{
    Scenario s(Profile::kProduction);
    answered(request(s, 7, EPOLLOUT), 7).mod(7, 0).wakes_thread().wait();
    asks_again(s, 7).at_ms(60000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, ThreadStillAtWork)
{
    Scenario s;
    request(s, 7, EPOLLOUT).delivered(7, EPOLLOUT).after_ms(5).write(7, 100).mod(7, 0);
    asks_again(s, 7).at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, ReadsWithoutBeingTold)
{
    Scenario s;  // asio speculates
    s.add(8, EPOLLIN | EPOLLET, FILE_TCP).read(8, -EAGAIN);
    answered(request(s, 7, kOutEdge), 7);
    asks_again(s, 7).at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, SaidOfOneThatComesBackByItselfIsTakenBack)
{
    Scenario s;
    answered(request(s, 7, kOutEdge), 7);
    asks_again(s, 7).at_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
    s.read(7, 40).write(7, 100).wait().at_ms(4000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, PausedUntilItsShareIsFilledAgain)
{
    Scenario s;  // by another thread, or by a timerfd of this loop, which nobody has to wait for with a timeout
    answered(request(s, 7, EPOLLOUT), 7).mod(7, 0).wait();
    asks_again(s, 7).at_ms(2400);
    EXPECT_EQ(s.alarms(), "EP106 likely");
    s.mod(7, EPOLLIN).delivered(7, EPOLLIN).read(7, 40).write(7, 100).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "");
    s.mod(7, 0).wait();
    asks_again(s, 7).after_ms(3000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP106"), "risk");
}

TEST(DeafRegistration, PausedUntilTheirSharesAreFilledAgain)
{
    Scenario s;  // three at once would be confirmed, but nothing is certain of a program that comes back
    for (int fd : {7, 8, 9})
        answered(request(s, fd, EPOLLOUT), fd).mod(fd, 0).wait();
    for (int fd : {7, 8, 9})
        asks_again(s, fd);
    s.at_ms(2400);
    EXPECT_EQ(s.alarms(), "EP106 confirmed");
    for (int fd : {7, 8, 9})
        s.mod(fd, EPOLLIN).delivered(fd, EPOLLIN).read(fd, 40).write(fd, 100).wait();
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, ClosingItIsNoComingBack)
{
    Scenario s;
    answered(request(s, 7, kOutEdge), 7);
    asks_again(s, 7).at_ms(3000).close(7).after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, TimerMayComeBackForIt)
{
    Scenario s;
    request(s, 7, EPOLLOUT).delivered(7, EPOLLOUT).write(7, 100).mod(7, 0).wait(5000);
    asks_again(s, 7).at_ms(4000);
    EXPECT_EQ(s.alarms(), "");
    s.at_ms(5000).returned(0).wait(5000).at_ms(7000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, StoppedProcessIsNotDeaf)
{
    Scenario s;
    answered(request(s, 7, kOutEdge), 7);
    asks_again(s, 7).stopped(true).at_ms(20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(DeafRegistration, PausedListenerIsQuiet)
{
    Scenario s;  // at its limit of connections: off on purpose
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1).delivered(3, EPOLLIN).accept(3, 9).mod(3, 0).wait().arrives(3, 3);
    s.at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, AttachedLaterIsARiskAtMost)
{
    Scenario s(Profile::kProduction);  // whether it has answered is not known
    s.seeded(7, 0, FILE_TCP).wait().arrives(7, 10).at_ms(60000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP106"), "risk");
    EXPECT_TRUE(s.finding("EP106").inconclusive);
    s.thread(101).read(7, 10).after_ms(2000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, AttachedWhileOutputIsBlocked)
{
    Scenario s(Profile::kProduction);  // back-pressure: it is known why it waits
    s.seeded(8, EPOLLOUT, FILE_TCP).writable(8, false).seeded(7, 0, FILE_TCP).wait().arrives(7, 10).at_ms(60000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_FALSE(s.finding("EP106").inconclusive);
}

TEST(DeafRegistration, ConnectedBeforeItWasRegistered)
{
    Scenario s;  // on loopback the connection stands when connect() has said EINPROGRESS
    s.connect(7, -EINPROGRESS).connected(7).add(7, EPOLLIN | EPOLLOUT, FILE_TCP).mod(7, EPOLLIN).wait().at_ms(20000);
    EXPECT_EQ(s.alarms(), "EP106 likely");
}

TEST(DeafRegistration, ConnectedAtOnceAndRegisteredAfterwards)
{
    Scenario s;
    s.connect(7, 0).add(7, EPOLLIN | EPOLLOUT, FILE_TCP).mod(7, EPOLLIN).wait().at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, ConnectedByPollAndRegisteredAfterwards)
{
    Scenario s;  // connect(), poll(), getsockopt(SO_ERROR), and then epoll for input alone
    s.connect(7, -EINPROGRESS).connected(7).add(7, EPOLLIN, FILE_TCP).wait().at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, ConnectThatNobodyHearsOf)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        for (bool before : {true, false}) {
            Scenario s(profile);  // pjproject #2747
            if (before)
                s.add(7, EPOLLIN, FILE_TCP).connect(7, -EINPROGRESS).mod(7, EPOLLIN | EPOLLOUT);
            else
                s.connect(7, -EINPROGRESS).add(7, EPOLLIN | EPOLLOUT, FILE_TCP);
            s.mod(7, EPOLLIN).wait().after_ms(50).connected(7).after_ms(20000);
            EXPECT_EQ(s.alarms(), "EP106 likely") << before;
        }
    }
}

TEST(DeafRegistration, ConnectStillInProgressIsQuiet)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).connect(7, -EINPROGRESS).mod(7, EPOLLIN | EPOLLOUT).mod(7, EPOLLIN).wait().at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, ConnectToldIsQuiet)
{
    Scenario s;  // EPOLLOUT came, then it waits for the server to speak first
    s.add(7, EPOLLIN, FILE_TCP).connect(7, -EINPROGRESS).mod(7, EPOLLIN | EPOLLOUT).wait().after_ms(5).connected(7);
    s.delivered(7, EPOLLOUT).mod(7, EPOLLIN).wait().at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, ConnectNeverAskedAboutWaitsForAGreeting)
{
    Scenario s;  // an SMTP client: the greeting or an error will tell
    s.connect(7, -EINPROGRESS).add(7, EPOLLIN, FILE_TCP).wait().after_ms(5).connected(7).at_ms(20000);
    EXPECT_EQ(s.verdict("EP106"), "none");
}

TEST(DeafRegistration, ConnectTriedAgainOrUsedIsQuiet)
{
    for (bool tried : {true, false}) {
        Scenario s;
        s.add(7, EPOLLIN, FILE_TCP).connect(7, -EINPROGRESS).mod(7, EPOLLIN | EPOLLOUT).mod(7, EPOLLIN).wait();
        s.after_ms(5).connected(7);
        if (tried)
            s.connect(7, -EISCONN);
        else
            s.write(7, 10);
        s.wait().at_ms(20000);
        EXPECT_EQ(s.verdict("EP106"), "none") << tried;
    }
}

}  // namespace
}  // namespace epaudit
