// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sys/syscall.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

// Three clients; the first is being served when the other two send something.
Scenario& clients(Scenario& s, uint8_t kind = FILE_TCP)
{
    return s.add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, kind).add(9, EPOLLIN, kind).wait();
}

void sends(Scenario& s, int fd) { s.arrives(fd, 5).ready(fd); }

// The two others are served, once the thread polls again.
void catch_up(Scenario& s)
{
    s.wait().delivers({{8, EPOLLIN}, {9, EPOLLIN}}).read(8, 5).read(9, 5).wait().after_ms(200);
}

void stall(Scenario& s, int call, uint64_t ms)
{
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(s, 8);
    sends(s, 9);
    s.asleep_in(call, ms);
    catch_up(s);
}

TEST(LoopStall, SleepsInTheHandler)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        clients(s);
        for (int i = 0; i < 2; i++)
            stall(s, SYS_clock_nanosleep, 250);
        EXPECT_EQ(s.verdict("EP404"), "none");
        stall(s, SYS_clock_nanosleep, 250);
        EXPECT_EQ(s.alarms(), "EP404 likely");
        Finding f = s.finding("EP404");
        EXPECT_EQ(f.shape, "blocked in clock_nanosleep");
        EXPECT_EQ(f.count, 3u);
        ASSERT_EQ(f.cost.size(), 3u);
        EXPECT_NEAR(f.cost[0].second, 0.25, 0.01);
        EXPECT_NEAR(f.cost[1].second, 0.75, 0.01);
        EXPECT_EQ(f.cost[2].second, 2);
    }
}

// The first client is being served, two others send something, and the thread does not come back.
Scenario& hang(Scenario& s, int call)
{
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(s, 8);
    sends(s, 9);
    return s.hangs_in(call);
}

TEST(LoopStall, ASleepThatDoesNotEndIsToldWhileItLasts)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        clients(s);
        hang(s, SYS_recvfrom).after_ms(900);
        EXPECT_EQ(s.verdict("EP404"), "none");
        s.after_ms(1000);
        EXPECT_EQ(s.alarms(), "EP404 likely");
        EXPECT_EQ(s.finding("EP404").shape, "blocked in recvfrom");
        EXPECT_EQ(s.finding("EP404").cost[1].second, 2);
        s.after_ms(10000);
        EXPECT_EQ(s.alarms(), "EP404 confirmed");
    }
}

TEST(LoopStall, TheSameWhenItEndsIsTheSameFinding)
{
    Scenario s;
    clients(s);
    hang(s, SYS_connect).after_ms(1500);
    const std::string before = s.finding("EP404").fingerprint;
    s.goes_on().asleep_in(SYS_connect, 1500);
    catch_up(s);
    s.after_ms(250);
    EXPECT_EQ(s.alarms(), "EP404 confirmed");
    EXPECT_EQ(s.finding("EP404").fingerprint, before);
    EXPECT_EQ(s.auditor().findings().size(), 1u);
}

TEST(LoopStall, ManyShortSleepsThatDoNotEndAreOneLong)
{
    Scenario s;  // 400 ms for each event of a large batch
    clients(s);
    hang(s, SYS_clock_nanosleep);
    for (int i = 0; i < 6; i++)
        s.asleep_in(SYS_clock_nanosleep, 400);
    EXPECT_EQ(s.verdict("EP404"), "none");
    for (int i = 0; i < 6; i++)
        s.asleep_in(SYS_clock_nanosleep, 400);
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").shape, "blocked in clock_nanosleep");
}

TEST(LoopStall, ManyShortWaitsForOthersAreNone)
{
    Scenario s;
    clients(s);
    hang(s, SYS_futex);
    for (int i = 0; i < 12; i++)
        s.asleep_in(SYS_futex, 400);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, WaitingForAnotherThreadForEverIsARisk)
{
    for (int call : {SYS_futex, SYS_ppoll, SYS_io_uring_enter}) {
        Scenario s;  // a pool that is full, or a loop of another kind: it may be how it is meant
        clients(s);
        hang(s, call).after_ms(30000);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP404"), "risk");
    }
}

TEST(LoopStall, ComputingWithoutEnd)
{
    Scenario s;
    s.cpu(1);
    clients(s);
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(s, 8);
    sends(s, 9);
    s.after_ms(2900);
    EXPECT_EQ(s.verdict("EP404"), "none");
    s.after_ms(600);
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").shape, "handler on the CPU");
}

// On a busy machine it has a third of a CPU: what it computes itself is too long already, or is not.
TEST(LoopStall, ComputingWithoutEndOnABusyMachine)
{
    for (int rounds : {4, 10}) {
        Scenario s;
        s.cpu(1.0 / 3);
        clients(s);
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        for (int i = 0; i < rounds; i++)
            s.waits_for_cpu(800).after_ms(400);
        EXPECT_EQ(s.verdict("EP404"), rounds == 10 ? "likely" : "none");
    }
}

TEST(LoopStall, ComputingForTheFirstOfABacklog)
{
    Scenario s;  // it accepts one, which sends without end, and the others stay in the backlog
    s.cpu(1).add(3, EPOLLIN, FILE_LISTENER).wait().arrives(3, 3).delivered(3, EPOLLIN).accept(3, 7);
    s.add(7, EPOLLIN, FILE_TCP).wait().arrives(7, 5).delivered(7, EPOLLIN);
    for (int i = 0; i < 45; i++)
        s.read(7, 5).after_ms(100).arrives(7, 5).ready(7);
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").cost[1].second, 2);
}

TEST(LoopStall, TheRestOfWhatTheHandledClientSentIsNoOtherClient)
{
    Scenario s;
    clients(s);
    s.arrives(7, 10).delivered(7, EPOLLIN).read(7, 5).hangs_in(SYS_fsync).after_ms(20000);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, AwayForLongAndNobodyWaits)
{
    Scenario s;  // it works on what it was told of, and no other client is ready
    clients(s);
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).hangs_in(SYS_fsync).after_ms(20000);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, AwayForLongAndOnlyThoseOfItsBatchWait)
{
    Scenario s;
    clients(s);
    s.arrives(7, 5).arrives(8, 5).arrives(9, 5);
    s.delivers({{7, EPOLLIN}, {8, EPOLLIN}, {9, EPOLLIN}}).read(7, 5).hangs_in(SYS_fsync).after_ms(20000);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, AwayForLongWhileAnotherThreadPolls)
{
    Scenario s;
    clients(s);
    s.thread(101).wait().thread(100);
    hang(s, SYS_recvfrom).after_ms(20000);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, AwayForLongBecauseItHasNoCpuOrIsStopped)
{
    Scenario s;
    clients(s);
    hang(s, SYS_recvfrom).goes_on().waits_for_cpu(20000);
    EXPECT_EQ(s.verdict("EP404"), "none");
    Scenario t;
    clients(t);
    hang(t, SYS_recvfrom).frozen(true).after_ms(20000);
    EXPECT_EQ(t.verdict("EP404"), "none");
}

TEST(LoopStall, ALoopWithinAHandler)
{
    Scenario s;
    clients(s);
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(s, 8);
    sends(s, 9);
    s.epoll(5).wait().after_ms(1500);  // spawnSync of Node: the clients are in the other one
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").shape, "blocked in epoll_wait on another epoll");
}

// One client is being served by waiting for a child in another epoll; two others send something.
void inner_loop(Scenario& s, uint64_t ms)
{
    s.epoll(4).arrives(7, 5).ready(7).delivered(7, EPOLLIN).read(7, 5);
    sends(s, 8);
    sends(s, 9);
    s.epoll(5).wait().after_ms(ms).returned(-EINTR).epoll(4);
    catch_up(s);
}

TEST(LoopStall, ALoopWithinAHandlerThatEnds)
{
    Scenario s;
    clients(s);
    inner_loop(s, 400);
    inner_loop(s, 400);
    EXPECT_EQ(s.verdict("EP404"), "none");
    for (int i = 0; i < 10; i++)
        inner_loop(s, 400);
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").shape, "blocked in epoll_wait on another epoll");
    EXPECT_NEAR(s.finding("EP404").cost[0].second, 0.4, 0.01);
}

TEST(LoopStall, ABriefLoopWithinAHandler)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 20; i++)
        inner_loop(s, 50);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ALoopWithinAHandlerWithoutACpu)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 5; i++) {
        s.epoll(4).arrives(7, 5).ready(7).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.epoll(5)
            .add(11, EPOLLIN, FILE_TCP)
            .wait()
            .after_us(10)
            .woken(100, 11, 0)
            .waits_for_cpu(400)
            .returned(-EINTR)
            .del(11)
            .epoll(4);
        catch_up(s);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ALookIntoAnotherEpollIsNoLoop)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 5; i++) {
        s.epoll(4).arrives(7, 5).ready(7).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.epoll(5).wait(0).returned(0).epoll(4).waits_for_cpu(300);
        catch_up(s);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ALoopOfTwoEpollsInTurn)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 100; i++) {
        s.epoll(4).arrives(7, 5).ready(7).delivered(7, EPOLLIN).read(7, 5);
        s.epoll(5).wait(50).after_ms(50).returned(0);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, AnEpollThatIsOnlyEverPolled)
{
    Scenario s;  // metrics are fetched by a clock of the loop that the thread waits in
    s.add(8, EPOLLIN, FILE_TCP).add(9, EPOLLIN, FILE_TCP).epoll(5).add(11, EPOLLIN, FILE_TIMERFD).wait();
    for (int i = 0; i < 12; i++) {
        s.after_ms(50).epoll(4);
        sends(s, 8);
        sends(s, 9);
        s.after_ms(400).epoll(5).arrives(11, 1).delivered(11, EPOLLIN).read(11, 8).epoll(4);
        s.wait(0).delivers({{8, EPOLLIN}, {9, EPOLLIN}}).read(8, 5).read(9, 5).epoll(5).wait();
    }
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP404"), "risk");
}

TEST(LoopStall, NobodyPollsFromTheStart)
{
    Scenario s;
    s.seeded(7, EPOLLIN, FILE_TCP).seeded(8, EPOLLIN, FILE_TCP).arrives(7, 5).arrives(8, 5).after_ms(2000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP404"), "risk");
    ASSERT_TRUE(s.finding("EP404").inconclusive);
    EXPECT_EQ(s.finding("EP404").inconclusive->why, Inconclusive::kHungFromStart);
    s.wait().delivers({{7, EPOLLIN}, {8, EPOLLIN}}).read(7, 5).read(8, 5).wait().after_ms(500);
    EXPECT_EQ(s.verdict("EP404"), "none");  // it has come back
}

TEST(LoopStall, TenAreConfirmed)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 10; i++)
        stall(s, SYS_fsync, 120);
    s.after_ms(250);
    EXPECT_EQ(s.alarms(), "EP404 confirmed");
}

TEST(LoopStall, OneSecondInABlockingCallIsConfirmed)
{
    Scenario s(Profile::kProduction);
    clients(s);
    stall(s, SYS_connect, 1500);
    s.after_ms(250);
    EXPECT_EQ(s.alarms(), "EP404 confirmed");
    EXPECT_EQ(s.finding("EP404").shape, "blocked in connect");
}

TEST(LoopStall, SlowHandlerOnTheCpu)
{
    Scenario s;
    s.cpu(1);
    clients(s);
    for (int i = 0; i < 3; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.after_ms(300);
        catch_up(s);
    }
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").shape, "handler on the CPU");
}

TEST(LoopStall, OldStallsAreForgotten)
{
    Scenario s;
    clients(s);
    stall(s, SYS_fsync, 120);
    s.after_ms(70000);
    stall(s, SYS_fsync, 120);
    stall(s, SYS_fsync, 120);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, StarvedOrStoppedIsNotTheProgramsFault)
{
    Scenario s;  // away for long, neither on the CPU nor asleep in a call
    s.cpu(0.05);
    clients(s);
    for (int i = 0; i < 12; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.after_ms(500);
        catch_up(s);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, StoppedAsItComesBackFromItsWait)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        clients(s);
        for (int i = 0; i < 12; i++) {
            s.returned(-EINTR).frozen(true);  // a signal, or the freezer, ended the wait
            sends(s, 8);
            sends(s, 9);
            s.after_ms(3000).frozen(false);
            catch_up(s);
        }
        EXPECT_EQ(s.verdict("EP404"), "none");
        EXPECT_EQ(s.epoll_books().stalls, 0u);
    }
}

TEST(LoopStall, StoppedInTheMiddleOfAHandlerThatAlsoSleeps)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 12; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.asleep_in(SYS_fsync, 20).frozen(true).after_ms(3000).frozen(false).asleep_in(SYS_fsync, 20);
        catch_up(s);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ASleepOfItsOwnStillCountsBesideAStop)
{
    Scenario s;
    clients(s);
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(s, 8);
    sends(s, 9);
    s.asleep_in(SYS_fsync, 1500).frozen(true).after_ms(500).frozen(false);
    catch_up(s);
    s.after_ms(250);
    EXPECT_EQ(s.alarms(), "EP404 confirmed");
    EXPECT_NEAR(s.finding("EP404").cost[0].second, 1.5, 0.01);
}

TEST(LoopStall, WaitsForACpu)
{
    Scenario s;  // a remark that names the delay, and no finding
    clients(s);
    for (int i = 0; i < 4; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        s.waits_for_cpu(700);
        s.wait().delivered(8, EPOLLIN).read(8, 5).wait().after_ms(200);
    }
    EXPECT_EQ(s.alarms(), "");
    ASSERT_EQ(s.verdict("EP404"), "info");
    Finding f = s.finding("EP404");
    EXPECT_EQ(f.shape, "not given a CPU");
    EXPECT_EQ(f.count, 4u);
    EXPECT_NEAR(f.cost[0].second, 0.7, 0.01);
    EXPECT_EQ(s.epoll_books().stalls, 0u);
}

// --- one client waits ---

// The handler of 7 sleeps, and 8 alone sends something meanwhile.
void one_waits(Scenario& s, int call, uint64_t ms)
{
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(s.after_ms(1), 8);
    s.asleep_in(call, ms);
    s.wait().delivered(8, EPOLLIN).read(8, 5).wait().after_ms(200);
}

TEST(LoopStall, OneOtherClientWaitsForABlockingCall)
{
    Scenario s;
    clients(s).after_ms(10);
    for (int i = 0; i < 3; i++)
        one_waits(s, SYS_fsync, 300);
    s.after_ms(250);
    EXPECT_EQ(s.alarms(), "EP404 likely");
    EXPECT_EQ(s.finding("EP404").cost[2].second, 1);
    EXPECT_NE(s.finding("EP404").summary.find("blocked in fsync for "), std::string::npos)
        << s.finding("EP404").summary;
    one_waits(s, SYS_fsync, 1200);
    s.after_ms(250);
    EXPECT_EQ(s.alarms(), "EP404 confirmed");
}

TEST(LoopStall, ComputingWhileOneWaitsIsWork)
{
    Scenario s;
    s.cpu(1);
    clients(s);
    for (int i = 0; i < 12; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s.after_ms(1), 8);
        s.after_ms(1500);
        s.wait().delivered(8, EPOLLIN).read(8, 5).wait().after_ms(200);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ShortSleepsWhileOneWaitsAreNoEvidence)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 12; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s.after_ms(1), 8);
        for (int nap = 0; nap < 5; nap++)
            s.asleep_in(SYS_fsync, 60);
        s.wait().delivered(8, EPOLLIN).read(8, 5).wait().after_ms(200);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, TheHandlersOwnClientIsNobodyElse)
{
    Scenario s;  // woken by a latch, it goes on with the query of 8, which already sends the next one
    clients(s).add(5, EPOLLIN, FILE_EVENTFD).wait();
    for (int i = 0; i < 12; i++) {
        s.arrives(5, 1).delivered(5, EPOLLIN).read(5, 8).write(8, 100);
        sends(s.after_ms(1), 8);
        s.asleep_in(SYS_fsync, 1500);
        s.wait().delivered(8, EPOLLIN).read(8, 5).wait().after_ms(200);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, JustAcceptedAndAskedForItsNameIsTheHandlersOwn)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).add(7, EPOLLIN, FILE_TCP).wait();
    for (int fd = 20; fd < 32; fd++) {
        s.arrives(3, 1).delivered(3, EPOLLIN).accept(3, fd).add(fd, EPOLLIN, FILE_TCP);
        sends(s.after_ms(1), fd);
        s.asleep_in(SYS_poll, 1500);
        s.wait().delivered(fd, EPOLLIN).read(fd, 5).wait().after_ms(200);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, OneConnectionInAllIsAScript)
{
    Scenario s;  // a timer's callback sleeps; the only connection has an answer meanwhile
    s.add(7, EPOLLIN, FILE_TCP).add(5, EPOLLIN, FILE_TIMERFD).wait();
    for (int i = 0; i < 12; i++) {
        s.arrives(5, 1).delivered(5, EPOLLIN).read(5, 8);
        sends(s.after_ms(1), 7);
        s.asleep_in(SYS_clock_nanosleep, 1500);
        s.wait().delivered(7, EPOLLIN).read(7, 5).wait().after_ms(200);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, PoolInWhichThreadsTakeTurnsNeedsTwo)
{
    Scenario s;  // while one handles, the next one polls as soon as the pool sees the need (MariaDB: 0.5 s)
    clients(s).thread(101).wait().returned(0).thread(100).wait();
    for (int i = 0; i < 12; i++) {
        s.thread(100 + i % 2);
        one_waits(s, SYS_fsync, 400);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ListenersAloneAreARiskAtMost)
{
    Scenario s;  // uwsgi: one connection at a time, by poll(), outside of the epoll
    s.add(3, EPOLLIN, FILE_LISTENER).add(4, EPOLLIN, FILE_LISTENER).wait();
    for (int i = 0; i < 12; i++) {
        s.arrives(3, 1).delivered(3, EPOLLIN).accept(3, 20);
        s.after_ms(1).arrives(3, 2).ready(3).asleep_in(SYS_poll, 4000);
        s.wait().delivered(3, EPOLLIN).accept(3, 21).accept(3, 22).wait().after_ms(200);
    }
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP404"), "risk");
}

TEST(LoopStall, PostgresHasOneClient)
{
    Scenario s(Profile::kProduction);  // and a latch and a death pipe, ready as often as they like
    s.add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, FILE_SIGNALFD).add(9, EPOLLIN, FILE_PIPE).wait();
    for (int i = 0; i < 12; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 7);
        sends(s, 8);
        sends(s, 9);
        s.asleep_in(SYS_fsync, 2000);
        s.wait().delivers({{7, EPOLLIN}, {8, EPOLLIN}, {9, EPOLLIN}}).read(7, 5).read(8, 5).read(9, 5).wait();
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, OwnWakeUpPairIsNoClient)
{
    Scenario s;
    clients(s, FILE_UNIX);
    for (int i = 0; i < 12; i++)
        stall(s, SYS_fsync, 200);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, ConnectionsInTheBacklogAreClients)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int i = 0; i < 3; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).arrives(3, 2).ready(3).asleep_in(SYS_fsync, 200);
        s.wait().delivered(3, EPOLLIN).accept(3, 20).accept(3, 21).wait().after_ms(250);
    }
    EXPECT_EQ(s.alarms(), "EP404 likely");
}

TEST(LoopStall, AnotherThreadPolls)
{
    Scenario s;  // asio, gRPC, Go, MariaDB: one sleeps in a handler, the next one takes over
    clients(s).thread(101).wait();
    for (int i = 0; i < 12; i++) {
        s.thread(100).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.thread(101).delivers({{8, EPOLLIN}, {9, EPOLLIN}}).read(8, 5).read(9, 5).wait();
        s.thread(100).asleep_in(SYS_fsync, 1500);
        s.wait();
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, IdleLoop)
{
    Scenario s(Profile::kProduction);
    clients(s).after_ms(60000);
    s.returned(0).wait().after_ms(60000);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, BusyHandlerWithNobodyWaiting)
{
    Scenario s;
    clients(s);
    for (int i = 0; i < 12; i++)
        s.arrives(7, 5).ready(7).delivered(7, EPOLLIN).read(7, 5).asleep_in(SYS_fsync, 1500).wait().after_ms(10);
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, LargeBatchOfShortHandlersIsLoad)
{
    Scenario s;
    s.cpu(1);
    std::vector<std::pair<int, uint32_t>> all;
    for (int fd = 20; fd < 120; fd++) {
        s.add(fd, EPOLLIN, FILE_TCP);
        all.emplace_back(fd, EPOLLIN);
    }
    s.wait();
    for (int round = 0; round < 20; round++) {
        for (const auto& [fd, events] : all)
            sends(s, fd);
        s.delivers(all);
        for (const auto& [fd, events] : all) {  // 2 ms each, and new requests keep coming
            s.read(fd, 5).after_ms(2);
        }
        s.wait();
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, PoolThatWaitsForAWorkerIsARisk)
{
    Scenario s;  // httpd's listener when all workers are busy
    clients(s);
    for (int i = 0; i < 12; i++)
        stall(s, SYS_futex, 1500);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP404"), "risk");
}

TEST(LoopStall, InputTakenMeanwhileIsNotTheSameInput)
{
    Scenario s;  // the handler reads 8 and 9 as well; what is delivered later came later
    clients(s);
    for (int i = 0; i < 12; i++) {
        s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
        sends(s, 8);
        sends(s, 9);
        s.read(8, 5).read(9, 5).asleep_in(SYS_fsync, 500);
        s.arrives(8, 5).arrives(9, 5);
        catch_up(s);
    }
    EXPECT_EQ(s.verdict("EP404"), "none");
}

TEST(LoopStall, TheStackOfTheCallIsWantedOnlyAfterAStall)
{
    Scenario s;
    clients(s);
    s.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).asleep_in(SYS_fsync, 120);  // nobody waits
    s.wait();
    EXPECT_EQ(s.epoll_books().stacks_wanted, 0u);
    stall(s, SYS_fsync, 120);
    EXPECT_EQ(s.epoll_books().stacks_wanted, static_cast<uint32_t>(STACK_BLOCKED | STACK_WAIT));

    Scenario busy;
    busy.cpu(1);
    clients(busy);
    busy.arrives(7, 5).delivered(7, EPOLLIN).read(7, 5);
    sends(busy, 8);
    sends(busy, 9);
    busy.after_ms(300);
    catch_up(busy);
    EXPECT_EQ(busy.epoll_books().stalls, 1u);
    EXPECT_EQ(busy.epoll_books().stacks_wanted, static_cast<uint32_t>(STACK_WAIT)) << "there is no call to show";
}

}  // namespace
}  // namespace epaudit
