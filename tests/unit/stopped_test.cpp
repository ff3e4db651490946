// SPDX-License-Identifier: Apache-2.0
// Time in which a process could not run is not time in which it did nothing: SIGSTOP, debuggers, frozen cgroups.
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

struct Wait {
    const char* rule;
    std::function<void(Scenario&)> begins;  // something waits for the program; at the end its thread acts
};

Scenario& other_work(Scenario& s) { return s.after_ms(250).arrives(9, 1).delivered(9, EPOLLIN).read(9, 1).wait(); }

const Wait kWaits[] = {
    {"EP101",
     [](Scenario& s) {
         s.add(7, EPOLLIN | EPOLLET, FILE_TCP).after_ms(500).wait();
         s.arrives(7, 100).delivered(7, EPOLLIN).read(7, 40, 40).wait();
     }},
    {"EP102",
     [](Scenario& s) {
         s.add(7, EPOLLIN | EPOLLET, FILE_LISTENER).after_ms(500).wait();
         s.arrives(7, 3).delivered(7, EPOLLIN).accept(7, 50).wait();
     }},
    {"EP104",
     [](Scenario& s) {
         constexpr uint32_t kOnce = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
         s.add(20, kOnce, FILE_TCP).add(7, kOnce, FILE_TCP);
         for (int i = 0; i < 20; i++)
             s.after_ms(5).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).write(20, 10).mod(20, kOnce);
         s.wait().arrives(7, 2).delivered(7, EPOLLIN).read(7, 2).wait().after_ms(50).arrives(7, 7);
     }},
    {"EP105",
     [](Scenario& s) {
         s.add(7, EPOLLIN | EPOLLRDHUP, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10);
         s.write(7, 5000, 9000).write(7, -EAGAIN).wait().after_ms(50).writable(7, true);
     }},
    {"EP301",
     [](Scenario& s) {
         s.add(7, EPOLLIN, FILE_TCP).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).mod(7, 0).wait();
         s.after_ms(50).peer_closes(7);
     }},
    {"EP302",
     [](Scenario& s) {
         for (int fd = 30; fd < 60; fd++) {
             s.add(fd, EPOLLIN, FILE_TCP).peer_closes(fd).delivered(fd, EPOLLIN).read(fd, 0).del(fd);
             s.after_ms(20);
         }
     }},
};

class Stopped : public testing::TestWithParam<Wait> {};

TEST_P(Stopped, WithoutAStopItIsAFinding)
{
    Scenario s;
    s.add(9, EPOLLIN, FILE_TCP);
    GetParam().begins(s);
    for (int i = 0; i < 24; i++)
        other_work(s);
    EXPECT_GE(s.finding(GetParam().rule).level, Level::kRisk);
    EXPECT_EQ(s.finding(GetParam().rule).rule, GetParam().rule);
}

TEST_P(Stopped, FrozenForTenSeconds)
{
    Scenario s;
    s.add(9, EPOLLIN, FILE_TCP);
    GetParam().begins(s);
    s.frozen(true).after_ms(10000);
    EXPECT_EQ(s.verdict(GetParam().rule), "none");
    s.frozen(false).after_ms(500);
    EXPECT_EQ(s.verdict(GetParam().rule), "none") << "and shortly after it";
}

// The looks are seconds apart, and none falls into the stop: its end alone tells of it.
TEST_P(Stopped, BetweenTwoLooks)
{
    Scenario s;
    s.add(9, EPOLLIN, FILE_TCP);
    GetParam().begins(s);
    posting stop = s.blank(POSTING_BLOCKED);
    for (int i = 0; i < 10; i++) {
        s.after_ms(200);
        stop.time = s.now();
        stop.flags = POSTING_STOPPED;
        stop.result = 190 * NSEC_PER_MSEC;
        s.post(stop);
    }
    s.after_ms(500);
    EXPECT_EQ(s.verdict(GetParam().rule), "none");
}

// --- what is counted as it happens ---

// A program that reads a part per turn and comes back for the rest by itself; `frozen`: not at once, that time.
void parts(Scenario& s, bool frozen)
{
    for (int fd = 7; fd < 12; fd++)
        s.add(fd, EPOLLIN | EPOLLET, FILE_TCP);
    s.after_ms(300);
    for (int fd = 7; fd < 12; fd++)
        s.arrives(fd, 12).delivered(fd, EPOLLIN).read(fd, 4, 4);
    s.wait(0).returned(-EINTR);
    if (frozen)
        s.frozen(true);
    s.after_ms(900);
    if (frozen)
        s.frozen(false);
    for (int fd = 7; fd < 12; fd++)
        s.arrives(fd, 12).delivered(fd, EPOLLIN).read(fd, 20, 4096);
    s.wait().after_ms(300);
}

TEST(StoppedBooks, WhatWasLeftBeforeAFreezeIsNotRescuedAfterIt)
{
    Scenario awake;
    parts(awake, false);
    EXPECT_EQ(awake.alarms(), "EP101 confirmed");
    Scenario s;
    parts(s, true);
    EXPECT_EQ(s.verdict("EP101"), "none");
}

void tails(Scenario& s, bool frozen)
{
    s.add(7, EPOLLIN | EPOLLRDHUP, FILE_TCP);
    for (int i = 0; i < 3; i++) {
        s.arrives(7, 10).delivered(7, EPOLLIN).read(7, 10).write(7, 5000, 9000).write(7, -EAGAIN);
        s.writable(7, false).wait().returned(-EINTR).writable(7, true);
        if (frozen)
            s.frozen(true);
        s.after_ms(1800);
        if (frozen)
            s.frozen(false);
        s.arrives(7, 3).delivered(7, EPOLLIN).read(7, 3).write(7, 4000).wait();
    }
    s.after_ms(300);
}

TEST(StoppedBooks, OutputThatWaitedForAThawIsNotLate)
{
    Scenario awake;
    tails(awake, false);
    EXPECT_EQ(awake.alarms(), "EP105 confirmed");
    Scenario s;
    tails(s, true);
    EXPECT_EQ(s.verdict("EP105"), "none");
}

void abandons(Scenario& s, bool frozen)
{
    constexpr uint32_t kOnce = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
    s.add(20, kOnce, FILE_TCP);
    for (int i = 0; i < 20; i++)
        s.after_ms(5).arrives(20, 10).delivered(20, EPOLLIN).read(20, 10).write(20, 10).mod(20, kOnce);
    for (int fd : {7, 8, 9}) {
        s.add(fd, kOnce, FILE_TCP).arrives(fd, 10).delivered(fd, EPOLLIN).wakes_thread().wait().returned(-EINTR);
        if (frozen)
            s.frozen(true);
        s.after_ms(1100);
        if (frozen)
            s.frozen(false);
        s.close(fd);
    }
    s.after_ms(500);
}

TEST(StoppedBooks, ClosedAfterAThawIsNotAbandoned)
{
    Scenario awake;
    abandons(awake, false);
    EXPECT_EQ(awake.alarms(), "EP104 confirmed");
    Scenario s;
    abandons(s, true);
    EXPECT_EQ(s.verdict("EP104"), "none");
}

TEST(StoppedBooks, StopsOfAMomentDelayNothing)
{
    Scenario s;  // under strace: at each system call of a busy thread
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP).add(9, EPOLLIN, FILE_TCP).after_ms(500).wait();
    s.arrives(7, 100).delivered(7, EPOLLIN).read(7, 40, 40).wait();
    for (int i = 0; i < 40; i++) {
        s.after_ms(100).arrives(9, 1).delivered(9, EPOLLIN);
        posting stop = s.blank(POSTING_BLOCKED);
        stop.flags = POSTING_STOPPED;
        stop.result = NSEC_PER_MSEC;
        s.post(stop);
        s.read(9, 1).wait();
    }
    EXPECT_EQ(s.alarms(), "EP101 likely");
}

INSTANTIATE_TEST_SUITE_P(Rules, Stopped, testing::ValuesIn(kWaits),
                         [](const auto& wait) { return std::string(wait.param.rule); });

}  // namespace
}  // namespace epaudit
