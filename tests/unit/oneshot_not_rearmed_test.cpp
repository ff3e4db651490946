// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kOnce = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;

// Requests on fd 20 that are re-armed at once: the program's habit.
Scenario& good_habit(Scenario& s, int times = 20)
{
    s.add(20, kOnce, FILE_TCP);
    for (int i = 0; i < times; i++)
        s.after_ms(5).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).write(20, 10).mod(20, kOnce);
    return s.wait();
}

TEST(OneshotNotRearmed, ForgottenOnAnEarlyReturn)
{
    Scenario s;
    good_habit(s).add(7, kOnce, FILE_TCP);
    s.at_ms(500).arrives(7, 2).delivered(7, EPOLLIN).read(7, 2).wait();
    s.at_ms(550).arrives(7, 7);
    s.at_ms(1400);
    EXPECT_EQ(s.verdict("EP104"), "none");
    s.at_ms(2500);
    EXPECT_EQ(s.alarms(), "EP104 likely");
    EXPECT_EQ(s.finding("EP104").trigger, "oneshot");
}

TEST(OneshotNotRearmed, PoolThatGoesOnWorkingIsNoExcuse)
{
    Scenario s;  // the same thread serves others meanwhile
    good_habit(s).add(7, kOnce, FILE_TCP);
    s.at_ms(500).arrives(7, 2).delivered(7, EPOLLIN).read(7, 2).wait();
    s.at_ms(550).arrives(7, 7);
    for (int i = 0; i < 30; i++)
        s.after_ms(100).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).write(20, 10).mod(20, kOnce).wait();
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

TEST(OneshotNotRearmed, TheEndOfItsThreadTakesNothingBack)
{
    Scenario s;
    good_habit(s).add(7, kOnce, FILE_TCP);
    s.at_ms(500).arrives(7, 2).thread(101).delivered(7, EPOLLIN).read(7, 2).wait();
    s.at_ms(550).arrives(7, 7);
    s.at_ms(2500);
    EXPECT_EQ(s.alarms(), "EP104 likely");
    s.thread_ends().thread(100).after_ms(2000);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

TEST(OneshotNotRearmed, RearmedIsQuiet)
{
    Scenario s;
    good_habit(s).after_ms(10000);
    EXPECT_EQ(s.verdict("EP104"), "none");
}

TEST(OneshotNotRearmed, ParkedWithNothingToReadIsQuiet)
{
    Scenario s;
    good_habit(s).add(7, kOnce, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).wait();
    s.after_ms(60000);
    EXPECT_EQ(s.verdict("EP104"), "none");
}

TEST(OneshotNotRearmed, MariaDbHoldsTheFdForAQuery)
{
    Scenario s(Profile::kProduction);
    s.thread(101).wait().thread(100);
    good_habit(s).add(7, kOnce, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10);
    s.arrives(7, 4);  // the client does not wait for the answer; the thread is still at the query
    s.after_ms(60000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

TEST(OneshotNotRearmed, PhotonWaitsForAnUpstream)
{
    Scenario s(Profile::kProduction);
    good_habit(s).add(7, kOnce, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).writes_unwatched(30).wait();
    s.peer_closes(7).after_ms(60000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

TEST(OneshotNotRearmed, HandedToAWorker)
{
    Scenario s;
    good_habit(s).add(7, kOnce, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).wakes_thread().wait();
    s.after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

TEST(OneshotNotRearmed, ProgramThatTakesItsTimeWithAll)
{
    Scenario s;  // no habit of re-arming at once
    s.add(20, kOnce, FILE_TCP);
    for (int i = 0; i < 10; i++)
        s.after_ms(5).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).after_ms(1500).mod(20, kOnce).wait();
    s.add(7, kOnce, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).read(7, 4).wait();
    s.after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(OneshotNotRearmed, NeverRearmsAnything)
{
    Scenario s;  // kaappi #1481
    for (int fd : {7, 8, 9})
        s.after_ms(200)
            .add(fd, kOnce, FILE_TCP)
            .arrives(fd, 10)
            .delivered(fd, EPOLLIN)
            .read(fd, 10)
            .write(fd, 5)
            .wait();
    s.arrives(7, 10).after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

// One message is read, and the next one waits.
Scenario& left_fired(Scenario& s)
{
    good_habit(s).add(7, kOnce, FILE_TCP);
    s.at_ms(500).arrives(7, 2).delivered(7, EPOLLIN).read(7, 2).write(7, 2).wait();
    s.at_ms(550).arrives(7, 7).at_ms(2500);
    EXPECT_EQ(s.alarms(), "EP104 likely");
    return s;
}

TEST(OneshotNotRearmed, ASchedulerThatGivesEachClientItsShare)
{
    Scenario s;  // another thread sleeps, and arms again whoever has used up its share
    left_fired(s).thread(101).mod(7, kOnce).thread(100).delivered(7, EPOLLIN).read(7, 7).write(7, 7).wait();
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "");
    s.arrives(7, 7).after_ms(2500);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

TEST(OneshotNotRearmed, QueuedWhileAllWorkersAreBusy)
{
    Scenario s;  // who puts it into the queue of a pool without an idle thread makes no call
    good_habit(s).add(7, kOnce, FILE_TCP).at_ms(500).arrives(7, 7).delivered(7, EPOLLIN).wait().at_ms(2500);
    EXPECT_EQ(s.alarms(), "EP104 likely");
    s.thread(101).read(7, 7).after_ms(1600).write(7, 7).mod(7, kOnce).after_ms(500);
    EXPECT_EQ(s.alarms(), "");
}

TEST(OneshotNotRearmed, ClosingItIsNoComingBack)
{
    Scenario s;
    left_fired(s).close(7).after_ms(1000);
    s.arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).write(20, 10).mod(20, kOnce).wait().after_ms(8000);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

TEST(OneshotNotRearmed, ThatOthersAreServedLateTakesNothingBack)
{
    Scenario s;
    left_fired(s).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).after_ms(1500).mod(20, kOnce).wait();
    s.after_ms(1000);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

TEST(OneshotNotRearmed, FailedRearmIsConfirmed)
{
    Scenario s;
    s.add(7, kOnce, FILE_TCP).at_ms(500).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).mod(7, kOnce, -ENOENT).wait();
    s.arrives(7, 5).after_ms(2000);
    EXPECT_EQ(s.alarms(), "EP104 confirmed");
}

TEST(OneshotNotRearmed, PhotonsModThenAddIsNoFailure)
{
    Scenario s;  // MOD = ENOENT, ADD
    s.add(20, kOnce, FILE_TCP).add(7, kOnce, FILE_TCP).del(7).mod(7, kOnce, -ENOENT).add(7, kOnce, FILE_TCP);
    s.at_ms(500).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).wait().arrives(7, 5);
    s.after_ms(3000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(OneshotNotRearmed, EndAlreadyToldIsNoNews)
{
    Scenario s;  // EPOLLRDHUP was delivered: re-arming would tell nothing new (EP302)
    good_habit(s).add(7, kOnce, FILE_TCP).peer_closes(7).delivered(7, EPOLLIN | EPOLLRDHUP).wait();
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP104"), "none");
}

TEST(OneshotNotRearmed, ClosedAgainAndAgainUntouched)
{
    Scenario s;  // 389-ds #7846
    good_habit(s);
    for (int fd : {7, 8, 9})
        s.add(fd, kOnce, FILE_TCP)
            .arrives(fd, 10)
            .delivered(fd, EPOLLIN)
            .wakes_thread()
            .wait()
            .after_ms(1100)
            .close(fd);
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "EP104 confirmed");
    EXPECT_EQ(s.finding("EP104").count, 3u);
}

TEST(OneshotNotRearmed, ConnectionPoolClosesWhatOnlyBecameWritable)
{
    Scenario s;
    good_habit(s);
    for (int fd : {7, 8, 9, 10})
        s.add(fd, EPOLLOUT | EPOLLONESHOT, FILE_TCP).delivered(fd, EPOLLOUT).wait().after_ms(1100).close(fd);
    EXPECT_EQ(s.epoll_books().unarmed_closes, 0u);
    EXPECT_EQ(s.alarms(), "");
}

TEST(OneshotNotRearmed, ClosingOnThePeersCloseNeedsNoRead)
{
    Scenario s;
    good_habit(s);
    for (int fd : {7, 8, 9, 10})
        s.add(fd, kOnce, FILE_TCP).delivered(fd, EPOLLIN | EPOLLRDHUP).wait().after_ms(1100).close(fd);
    EXPECT_EQ(s.alarms(), "");
}

// Other threads go on writing to a descriptor that wakes the loop; each write calls ep_poll_callback().
Scenario& others_write(Scenario& s, int fd, int times, uint64_t every_ms)
{
    for (int i = 0; i < times; i++)
        s.thread(101).after_ms(every_ms).ready(fd).arrives(fd, 1).write(fd, 8).thread(100);
    return s;
}

TEST(OneshotNotRearmed, WakeUpThatIsWrittenAgainAndAgain)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);  // the count grows, nobody takes any of it: the wait is one, and it lasts
        s.add(7, EPOLLIN | EPOLLONESHOT, FILE_EVENTFD).wait();
        s.at_ms(500).arrives(7, 1).delivered(7, EPOLLIN).read(7, 8, 8).wait();
        others_write(s, 7, 80, 200);
        EXPECT_EQ(s.alarms(), "EP104 likely");
    }
}

TEST(OneshotNotRearmed, WakeUpByAPipe)
{
    Scenario s;  // one byte more in a buffer that is there already: only the callbacks tell
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_PIPE).wait();
    s.at_ms(500).arrives(7, 1).delivered(7, EPOLLIN).read(7, 1).wait().arrives(7, 1);
    for (int i = 0; i < 20; i++)
        s.after_ms(200).ready(7);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

TEST(OneshotNotRearmed, WakeUpOfAProgramThatAlsoServesSlowly)
{
    Scenario s;  // the habit of its sockets says nothing about a registration that fires once and for all
    s.add(20, kOnce, FILE_TCP);
    for (int i = 0; i < 10; i++)
        s.after_ms(5).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).after_ms(1500).mod(20, kOnce).wait();
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_EVENTFD).arrives(7, 1).delivered(7, EPOLLIN).read(7, 8, 8).wait();
    others_write(s, 7, 20, 200);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

TEST(OneshotNotRearmed, WakeUpThatIsReadWithoutBeingToldIsQuiet)
{
    Scenario s;  // its reader comes by itself, now and then
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_EVENTFD).wait();
    s.at_ms(500).arrives(7, 1).delivered(7, EPOLLIN).read(7, 8, 8).wait();
    for (int i = 0; i < 10; i++)
        others_write(s, 7, 3, 200).read(7, 8, 8).wait();
    EXPECT_EQ(s.alarms(), "");
}

TEST(OneshotNotRearmed, SignalGivenOnceForAllIsQuiet)
{
    Scenario s;  // "shut down", said once: the loop knows, and nobody says more
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_EVENTFD).wait().at_ms(500).arrives(7, 1).delivered(7, EPOLLIN).wait();
    s.after_ms(10000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(OneshotNotRearmed, WakeUpRearmedIsQuiet)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_EVENTFD).wait();
    for (int i = 0; i < 20; i++)
        s.after_ms(200)
            .ready(7)
            .arrives(7, 1)
            .delivered(7, EPOLLIN)
            .read(7, 8, 8)
            .mod(7, EPOLLIN | EPOLLONESHOT)
            .wait();
    EXPECT_EQ(s.verdict("EP104"), "none");
}

TEST(OneshotNotRearmed, FiredBeforeWeLooked)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);  // of the mask nothing is left but this bit, not even EPOLLERR and EPOLLHUP
        s.seeded(7, EPOLLONESHOT, FILE_TCP).wait().arrives(7, 10).at_ms(400000);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP104"), "risk");
        EXPECT_TRUE(s.finding("EP104").inconclusive);
    }
}

TEST(OneshotNotRearmed, FiredBeforeWeLookedAndTheClientIsGone)
{
    Scenario s(Profile::kProduction);  // in the queue of a pool, perhaps: EP301 has no say in it
    s.seeded(7, EPOLLONESHOT | EPOLLET, FILE_TCP).wait().peer_closes(7).at_ms(400000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP301"), "none");
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

TEST(OneshotNotRearmed, FiredBeforeWeLookedAndRearmed)
{
    Scenario s;
    s.seeded(7, EPOLLONESHOT, FILE_TCP).wait().arrives(7, 10).at_ms(3000);
    EXPECT_TRUE(s.finding("EP104").inconclusive);
    s.thread(101).read(7, 10).mod(7, EPOLLIN | EPOLLONESHOT).after_ms(2000);
    EXPECT_EQ(s.verdict("EP104"), "none");
    EXPECT_EQ(s.epoll_books().rearms, 0u);  // how long that took is not known
}

TEST(OneshotNotRearmed, AskedForNothingOnPurposeBeforeWeLooked)
{
    Scenario s;  // epoll_ctl(MOD, EPOLLONESHOT): the kernel has added EPOLLERR and EPOLLHUP
    s.seeded(7, EPOLLONESHOT | EPOLLERR | EPOLLHUP, FILE_TCP).wait().arrives(7, 10).at_ms(400000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP104"), "none");
}

// One client was served and has left; a listener that fired then waits for ever.
Scenario& one_client(Scenario& s)
{
    return s.add(3, EPOLLIN | EPOLLONESHOT, FILE_LISTENER)
        .wait(500)
        .arrives(3, 1)
        .delivered(3, EPOLLIN)
        .accept(3, 7)
        .add(7, EPOLLIN | EPOLLONESHOT, FILE_TCP)
        .wait(500);
}

Scenario& wakes_up(Scenario& s, unsigned times)
{
    while (times--)
        s.after_ms(500).returned(0).wait(500);
    return s;
}

TEST(OneshotNotRearmed, AListenerWhoseClientsHaveLeft)
{
    Scenario s;
    wakes_up(one_client(s).close(7).arrives(3, 2), 8);
    EXPECT_EQ(s.alarms(), "EP104 likely");
}

// It may take one client at a time.
TEST(OneshotNotRearmed, AListenerWhoseClientIsStillThere)
{
    Scenario s;
    wakes_up(one_client(s).arrives(3, 2), 8);
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

// Three threads have nothing to do, and one client is there: that is no limit.
TEST(OneshotNotRearmed, AListenerWithMoreThreadsAsleepThanClients)
{
    for (unsigned threads : {1U, 2U, 3U}) {
        Scenario s;
        one_client(s).arrives(3, 2);
        for (unsigned tid = 1; tid < threads; tid++)
            s.thread(200 + tid).wait();
        s.thread(100);
        wakes_up(s, 8);
        EXPECT_EQ(s.verdict("EP104"), threads > 1 ? "likely" : "risk") << threads;
    }
}

TEST(OneshotNotRearmed, AListenerWithAsManyClientsAsThreads)
{
    Scenario s;
    one_client(s).add(8, EPOLLIN | EPOLLONESHOT, FILE_TCP).arrives(3, 2).thread(201).wait().thread(100);
    wakes_up(s, 8);
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

// Its clients are another thread's, which no epoll tells.
TEST(OneshotNotRearmed, AListenerThatNeverHadAClientHere)
{
    Scenario s;
    s.add(3, EPOLLIN | EPOLLONESHOT, FILE_LISTENER)
        .wait(500)
        .arrives(3, 1)
        .delivered(3, EPOLLIN)
        .accept(3, 7)
        .wait(500);
    wakes_up(s.arrives(3, 2), 8);
    EXPECT_EQ(s.verdict("EP104"), "risk");
}

}  // namespace
}  // namespace epaudit
