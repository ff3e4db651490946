// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(AcceptSpin, EmfileOnALevelTriggeredListenerIsConfirmed)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.cpu(0.8).add(3, EPOLLIN, FILE_LISTENER).arrives(3, 2);
        s.spin(3, EPOLLIN, 4000, 500, [](Scenario& t) { t.accept(3, -EMFILE); });
        EXPECT_EQ(s.alarms(), "EP205 confirmed");
        Finding f = s.finding("EP205");
        EXPECT_EQ(f.shape, "accept = EMFILE between returns");
        EXPECT_NEAR(f.cost[0].second, 2000, 20);
        EXPECT_EQ(f.cost[1].second, 2);
        EXPECT_NEAR(f.cost[2].second, 0.8, 0.02);
    }
}

TEST(AcceptSpin, UsefulWorkInBetweenDoesNotHideIt)
{
    Scenario s;  // redis with busy clients: no run of futile returns
    s.add(3, EPOLLIN, FILE_LISTENER).add(7, EPOLLIN, FILE_TCP).arrives(3, 1);
    for (int i = 0; i < 3000; i++)
        s.after_us(1000).arrives(7, 10).delivers({{3, EPOLLIN}, {7, EPOLLIN}}).accept(3, -EMFILE).read(7, 10);
    EXPECT_EQ(s.alarms(), "EP205 confirmed");
}

TEST(AcceptSpin, RetriedInsideTheHandlerIsConfirmed)
{
    Scenario s;  // brpc
    s.add(3, EPOLLIN | EPOLLET, FILE_LISTENER).arrives(3, 1).delivered(3, EPOLLIN);
    for (int i = 0; i < 10000; i++)
        s.after_us(200).accept(3, -ENFILE);
    EXPECT_EQ(s.alarms(), "EP205 confirmed");
    EXPECT_EQ(s.finding("EP205").shape, "accept = ENFILE again and again in one turn");
}

TEST(AcceptSpin, FixedTakesTheListenerOut)
{
    Scenario s;  // nginx, memcached: DEL, 500 ms later ADD
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1);
    for (int i = 0; i < 10; i++)
        s.delivered(3, EPOLLIN).accept(3, -EMFILE).del(3).after_ms(500).add(3, EPOLLIN, FILE_LISTENER);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP205"), "info");
}

TEST(AcceptSpin, AsyncioBursts)
{
    Scenario s;  // 100 failing accepts per attempt, then a pause of a second
    s.add(3, EPOLLIN, FILE_LISTENER).arrives(3, 1);
    for (int i = 0; i < 6; i++) {
        s.delivered(3, EPOLLIN);
        for (int j = 0; j < 100; j++)
            s.after_us(50).accept(3, -EMFILE);
        s.del(3).after_ms(1000).add(3, EPOLLIN, FILE_LISTENER);
    }
    EXPECT_EQ(s.alarms(), "");
}

TEST(AcceptSpin, SheddingWithASpareDescriptor)
{
    Scenario s;  // libuv, muduo, mosquitto: each failure is followed by a success
    s.add(3, EPOLLIN, FILE_LISTENER);
    for (int i = 0; i < 5000; i++)
        s.after_us(500).arrives(3, 1).delivered(3, EPOLLIN).accept(3, -EMFILE).accept(3, 20);
    EXPECT_EQ(s.alarms(), "");
}

TEST(AcceptSpin, EagainIsNotAFailure)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER);
    for (int i = 0; i < 5000; i++)
        s.after_us(500).arrives(3, 1).delivered(3, EPOLLIN).accept(3, 20).accept(3, -EAGAIN);
    EXPECT_EQ(s.verdict("EP205"), "none");
}

}  // namespace
}  // namespace epaudit
