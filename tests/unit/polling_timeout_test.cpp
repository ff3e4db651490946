// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& polls(Scenario& s, unsigned seconds, int timeout_ms)
{
    for (unsigned i = 0; i < seconds * 1000 / static_cast<unsigned>(timeout_ms); i++)
        s.wait(timeout_ms).after_ms(static_cast<uint64_t>(timeout_ms)).returned(0);
    return s;
}

TEST(PollingTimeout, FiveMilliseconds)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    polls(s, 4, 5);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP605"), "info");
    EXPECT_NEAR(s.finding("EP605").cost[0].second, 200, 20);
}

TEST(PollingTimeout, ProductionLooksLonger)
{
    Scenario s(Profile::kProduction);
    s.add(7, EPOLLIN, FILE_TCP);
    polls(s, 8, 5);
    EXPECT_EQ(s.verdict("EP605"), "none");
    polls(s, 8, 5);
    EXPECT_EQ(s.verdict("EP605"), "info");
}

TEST(PollingTimeout, RedisTicksTenTimesASecond)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    polls(s, 10, 100);
    EXPECT_EQ(s.verdict("EP605"), "none");
}

TEST(PollingTimeout, TimersWaitForTheTimeThatIsLeft)
{
    Scenario s;  // libuv, asyncio, nginx
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 1000; i++)
        s.wait(3 + i % 7).after_ms(static_cast<uint64_t>(3 + i % 7)).returned(0);
    EXPECT_EQ(s.verdict("EP605"), "none");
}

TEST(PollingTimeout, EventsComeMostOfTheTime)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 1000; i++) {
        s.wait(5).after_ms(5).returned(0);
        for (int k = 0; k < 3; k++)
            s.wait(5).arrives(7, 1).delivered(7, EPOLLIN).read(7, 1);
    }
    EXPECT_EQ(s.verdict("EP605"), "none");
}

TEST(PollingTimeout, ZeroTimeoutsAreAnotherRules)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 4000; i++)
        s.wait(0).after_ms(1).returned(0);
    EXPECT_EQ(s.verdict("EP605"), "none");
}

TEST(PollingTimeout, IdleLoop)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).wait().after_ms(20000);
    EXPECT_EQ(s.verdict("EP605"), "none");
}

}  // namespace
}  // namespace epaudit
