// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& poll(Scenario& s, int times, uint64_t period_us)
{
    for (int i = 0; i < times; i++)
        s.wait(0).returned(0).after_us(period_us);
    return s;
}

TEST(ZeroTimeoutSpin, TightLoopIsARemark)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        poll(s.cpu(0.95), 400000, 20);
        EXPECT_EQ(s.verdict("EP206"), "info");
        EXPECT_EQ(s.alarms(), "");
        EXPECT_NEAR(s.finding("EP206").cost[0].second, 50000, 500);
        EXPECT_NEAR(s.finding("EP206").cost[1].second, 0.95, 0.01);
    }
}

TEST(ZeroTimeoutSpin, LikelyWhereNobodyMeansToPoll)
{
    Scenario s;
    ASSERT_TRUE(s.auditor().set("zero-timeout-spin.no_busy_poll=1"));
    poll(s.cpu(0.95), 200000, 20);
    EXPECT_EQ(s.alarms(), "EP206 likely");
}

TEST(ZeroTimeoutSpin, FixedWaitsForItsTimer)
{
    Scenario s;
    for (int i = 0; i < 50; i++)
        s.wait(100).after_ms(100).returned(0);
    EXPECT_EQ(s.verdict("EP206"), "none");
}

TEST(ZeroTimeoutSpin, NodePollsWithEventsWaiting)
{
    Scenario s;  // 95 % of its waits have timeout 0, and nearly all return events
    s.cpu(0.95).add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 100000; i++) {
        s.after_us(50).arrives(7, 10).wait(0).delivered(7, EPOLLIN).read(7, 10);
        if (i % 25 == 0)
            s.wait(0).returned(0);
    }
    EXPECT_EQ(s.verdict("EP206"), "none");
}

TEST(ZeroTimeoutSpin, WorkBetweenTheWaitsIsNoSpin)
{
    Scenario s;  // a scheduler that has other things to run
    poll(s.cpu(0.99), 20000, 300);
    EXPECT_EQ(s.verdict("EP206"), "none");
}

TEST(ZeroTimeoutSpin, CheapPollsAreNoSpin)
{
    Scenario s(Profile::kProduction);
    poll(s.cpu(0.3), 400000, 20);
    EXPECT_EQ(s.verdict("EP206"), "none");
}

TEST(ZeroTimeoutSpin, AsyncioRunsOfSix)
{
    Scenario s;
    for (int i = 0; i < 200; i++)
        poll(s, 6, 20).wait(50).after_ms(50).returned(0);
    EXPECT_EQ(s.verdict("EP206"), "none");
}

// Waits for its timer as it should, for so long.
Scenario& healthy(Scenario& s, int waits, uint64_t ms)
{
    for (int i = 0; i < waits; i++)
        s.wait(static_cast<int>(ms)).after_ms(ms).returned(0);
    return s;
}

TEST(ZeroTimeoutSpin, ALoopThatLostItsTimeoutIsNoBusyPoller)
{
    Scenario s;  // haproxy: a task that is due and is never run
    poll(healthy(s.cpu(0.95), 20, 100), 200000, 15);
    EXPECT_EQ(s.alarms(), "EP206 likely");
    Finding f = s.finding("EP206");
    EXPECT_EQ(f.summary, "the loop used to wait, and now polls with timeout 0 for good, though nothing comes");
    auto before = std::find_if(f.facts.begin(), f.facts.end(), [](const auto& one) { return one.first == "before"; });
    ASSERT_NE(before, f.facts.end());
    EXPECT_EQ(before->second.find("20 waits with a timeout, 2.0 s in all; none for "), 0u) << before->second;

    Scenario patient(Profile::kProduction);
    poll(healthy(patient.cpu(0.95), 150, 100), 1000000, 15);
    EXPECT_EQ(patient.verdict("EP206"), "info");  // not for long enough yet
    poll(patient, 1200000, 15);
    EXPECT_EQ(patient.alarms(), "EP206 likely");
}

TEST(ZeroTimeoutSpin, AFewWaitsAtTheStartAreNoHabit)
{
    Scenario s;  // DPDK, seastar, MPI: they wait while they set up, and then poll on purpose
    poll(healthy(s.cpu(0.95), 5, 400), 200000, 15);
    EXPECT_EQ(s.verdict("EP206"), "info");
    Scenario brief;
    poll(healthy(brief.cpu(0.95), 40, 10), 200000, 15);
    EXPECT_EQ(brief.verdict("EP206"), "info");
}

TEST(ZeroTimeoutSpin, WhoWaitsNowAndThenHasLostNothing)
{
    Scenario s;  // spins for a while before it sleeps, as adaptive pollers do
    healthy(s.cpu(0.95), 20, 100);
    for (int i = 0; i < 5; i++)
        poll(s, 60000, 15).wait(1).after_ms(1).returned(0);
    EXPECT_EQ(s.alarms(), "");
}

TEST(ZeroTimeoutSpin, TimeoutZeroWithEventsIsWork)
{
    Scenario s;
    healthy(s.cpu(0.95), 20, 100).add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 200000; i++)
        s.after_us(20).arrives(7, 10).wait(0).delivered(7, EPOLLIN).read(7, 10);
    EXPECT_EQ(s.verdict("EP206"), "none");
}

TEST(ZeroTimeoutSpin, BurstsBeforeATimerAreARemark)
{
    Scenario s;  // redis 6.2: the last millisecond before its timer is rounded down to 0
    s.cpu(0.01);
    for (int i = 0; i < 60; i++)
        poll(s.wait(99).after_ms(99).returned(0), 120, 8);
    EXPECT_EQ(s.verdict("EP206"), "info");
    EXPECT_EQ(s.finding("EP206").shape, "bursts of epoll_wait(0) = 0 before a timer is due");
}

// A loop with a ready list of its own asks with timeout 0 while it works that off, and then waits without any.
TEST(ZeroTimeoutSpin, BurstsBeforeAWaitWithoutTimeoutHaveNoTimer)
{
    Scenario s;
    s.cpu(0.01).add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 60; i++)
        poll(s.wait(-1).after_ms(99).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10), 120, 8);
    EXPECT_EQ(s.verdict("EP206"), "none");
}

}  // namespace
}  // namespace epaudit
