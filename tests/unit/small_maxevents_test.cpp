// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

Scenario& busy(Scenario& s, int batch, uint64_t ready, int times, uint64_t period_us)
{
    for (int fd = 10; fd < 10 + batch; fd++)
        s.add(fd, EPOLLIN, FILE_TCP);
    s.maxevents(batch, ready);
    for (int i = 0; i < times; i++) {
        std::vector<std::pair<int, uint32_t>> events;
        for (int fd = 10; fd < 10 + batch; fd++)
            events.emplace_back(fd, EPOLLIN), s.arrives(fd, 1);
        s.after_us(period_us).delivers(events);
        for (int fd = 10; fd < 10 + batch; fd++)
            s.read(fd, 1);
    }
    return s;
}

TEST(SmallMaxevents, FullBatchesAndACrowdAreARemark)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        busy(s, 4, 16, 12000, 500);
        EXPECT_EQ(s.verdict("EP405"), "info");
        EXPECT_EQ(s.alarms(), "");
        EXPECT_NEAR(s.finding("EP405").cost[0].second, 2000, 20);
        EXPECT_EQ(s.finding("EP405").cost[1].second, 4);
    }
}

TEST(SmallMaxevents, FixedHasRoom)
{
    Scenario s;
    busy(s, 16, 0, 4000, 1000).maxevents(256, 0);
    EXPECT_EQ(s.verdict("EP405"), "none");
}

TEST(SmallMaxevents, PythonAsksForAsManyAsItHas)
{
    Scenario s;  // maxevents = number of registered fds: always full, never a crowd
    busy(s, 1, 1, 8000, 500);
    EXPECT_EQ(s.verdict("EP405"), "none");
}

TEST(SmallMaxevents, PhotonsSixteenAreEnough)
{
    Scenario s;
    busy(s, 16, 64, 6000, 1000);
    EXPECT_EQ(s.verdict("EP405"), "none");
}

TEST(SmallMaxevents, ASlowLoopSavesNothing)
{
    Scenario s;  // beanstalkd: one event at a time, few of them
    busy(s, 1, 4, 500, 20000);
    EXPECT_EQ(s.verdict("EP405"), "none");
}

TEST(SmallMaxevents, ListsThatNobodyCountedSayNothing)
{
    Scenario s;  // an strace log
    busy(s, 1, 0, 8000, 500);
    EXPECT_EQ(s.verdict("EP405"), "none");
}

}  // namespace
}  // namespace epaudit
