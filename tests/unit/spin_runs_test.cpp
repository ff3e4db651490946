// SPDX-License-Identifier: Apache-2.0
// Which run of futile returns is told, and that all that is told of it is its own.
#include <gtest/gtest.h>

#include "rules/spin.h"
#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(SpinRuns, WhatHappenedNowAndThenIsNoPattern)
{
    Scenario s;  // 4 MODs in 3000 returns
    int turn = 0;
    s.add(7, kIn, FILE_TCP).arrives(7, 10).spin(7, kIn, 3000, 500, [&](Scenario& t) {
        if (++turn % 700 == 0)
            t.mod(7, kIn | EPOLLRDHUP);
    });
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_EQ(s.finding("EP202").shape, "nothing between returns");
}

TEST(SpinRuns, ATenthOfTheReturnsIsAPattern)
{
    Scenario s;
    int turn = 0;
    s.add(7, kIn, FILE_TCP).arrives(7, 10).spin(7, kIn, 3000, 500, [&](Scenario& t) {
        if (++turn % 8 == 0)
            t.peek(7, 10);
    });
    EXPECT_EQ(s.finding("EP202").shape, "MSG_PEEK or FIONREAD between returns");
}

TEST(SpinRuns, SharesOutliveSmallCounters)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).arrives(7, 10);
    s.spin(7, kIn, 100000, 20, [](Scenario& t) { t.mod(7, kIn); });
    s.spin(7, kIn, 6000, 20);  // a rare exception in the end
    const run_calls calls = s.runs(7).calls;
    EXPECT_GE(calls.returns, 32767u);
    EXPECT_LE(calls.after[10], calls.returns);
    EXPECT_EQ(usual_calls(calls), uint32_t{BETWEEN_MOD_SAME});
    EXPECT_EQ(s.finding("EP202").shape, "epoll_ctl(MOD) to the same mask between returns");
}

TEST(SpinRuns, TheReturnThatEndsARunTakesNothingFromIt)
{
    Scenario s;
    s.add(7, kIn | EPOLLOUT, FILE_TCP).reset(7).state(7).aux = 0;
    s.spin(7, EPOLLOUT | EPOLLHUP, 3000, 500, [](Scenario& t) { t.fails(7, POSTING_WRITE, EPIPE); });
    s.read(7, 5).delivered(7, kIn);  // progress, and other events
    s.wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "EP204 confirmed");
    EXPECT_EQ(s.finding("EP204").shape, "write = EPIPE between returns");
}

TEST(SpinRuns, NorDoesAShortOneThatFollows)
{
    Scenario s;
    s.add(7, kIn | EPOLLOUT, FILE_TCP).reset(7).state(7).aux = 0;
    s.spin(7, EPOLLOUT | EPOLLHUP, 3000, 500, [](Scenario& t) { t.fails(7, POSTING_WRITE, EPIPE); });
    s.read(7, 5).arrives(7, 10).delivered(7, kIn).delivered(7, kIn).delivered(7, kIn).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "EP204 confirmed");
    EXPECT_EQ(s.finding("EP204").shape, "write = EPIPE between returns");
}

// Beside the traffic, EPOLLOUT is always armed: each piece of input ends a run, and is read at once.
TEST(SpinRuns, InputThatEndsASpinOnOutputIsNotWhatItSpinsOn)
{
    Scenario s;
    s.add(7, kIn | EPOLLOUT, FILE_TCP);
    for (int piece = 0; piece < 20; piece++) {
        s.spin(7, EPOLLOUT, 200, 500).arrives(7, 4).delivered(7, kIn | EPOLLOUT).read(7, 4);
        EXPECT_EQ(s.verdict("EP202"), "none") << piece;
    }
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    s.delivered(7, EPOLLOUT).close(7).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(SpinRuns, NorIsTheResetThatEndsIt)
{
    Scenario s;
    s.add(7, kIn | EPOLLOUT, FILE_TCP).spin(7, EPOLLOUT, 3000, 500);
    s.reset(7).delivered(7, kIn | EPOLLOUT | EPOLLERR | EPOLLHUP).close(7).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(SpinRuns, InputReportedInATenthOfThemIs)
{
    Scenario s;
    s.add(7, kIn | EPOLLOUT, FILE_TCP).arrives(7, 4);
    s.spin(7, kIn | EPOLLOUT, 400, 500).spin(7, EPOLLOUT, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(SpinRuns, AListenerOutOfDescriptorsStaysOneWhenItCanAcceptAgain)
{
    Scenario s;  // beanstalkd at its limit: EP205 says it all, whether the run goes on or has ended
    s.add(3, kIn, FILE_LISTENER).arrives(3, 3);
    for (int round = 0; round < 4; round++) {
        s.spin(3, kIn, 3000, 500, [](Scenario& t) { t.accept(3, -EMFILE); });
        EXPECT_EQ(s.alarms(), "EP205 confirmed");
        s.accept(3, 9).delivered(3, kIn).accept(3, -EMFILE);
        EXPECT_EQ(s.alarms(), "EP205 confirmed");
    }
    s.accept(3, 9).accept(3, 9).del(3).wait().after_ms(500);
    EXPECT_EQ(s.verdict("EP202"), "none");
}

TEST(SpinRuns, AnEndedSpinOnTheEndOfTheStreamStaysOne)
{
    Scenario s;  // reset, so that no FIN was seen; closed in the end
    s.add(7, kIn, FILE_TCP).reset(7).state(7).aux = 0;
    s.spin(7, kIn, 3000, 500).close(7).wait().after_ms(500);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

}  // namespace
}  // namespace epaudit
