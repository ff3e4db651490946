// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(MixedTriggerModes, BackAndForthIsARemark)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(7, kEdge, FILE_TCP).after_ms(100).mod(7, kIn | EPOLLOUT).after_ms(100).mod(7, kEdge).after_ms(300);
        EXPECT_EQ(s.verdict("EP602"), "info");
        EXPECT_EQ(s.finding("EP602").count, 2u);
        EXPECT_EQ(s.finding("EP602").trigger, "mixed");
    }
}

TEST(MixedTriggerModes, LostByTheReArmOnThreeFds)
{
    Scenario s;
    for (int fd : {7, 8})
        s.add(fd, kEdge, FILE_TCP).mod(fd, kIn);
    s.after_ms(300);
    EXPECT_EQ(s.verdict("EP602"), "none");
    s.add(9, kEdge, FILE_TCP).mod(9, kIn).after_ms(300);
    EXPECT_EQ(s.verdict("EP602"), "info");
    EXPECT_EQ(s.finding("EP602").shape, "EPOLLET in the ADD, not in the MOD");
}

TEST(MixedTriggerModes, FixedKeepsEpollet)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP);
    for (int i = 0; i < 10; i++)
        s.after_ms(100).mod(7, kEdge | EPOLLOUT).mod(7, kEdge);
    EXPECT_EQ(s.verdict("EP602"), "none");
}

TEST(MixedTriggerModes, DifferentFdsMayDiffer)
{
    Scenario s;  // nginx, asio, lwan, workflow: a level-triggered listener, edge-triggered connections
    s.add(3, kIn, FILE_LISTENER).add(7, kEdge, FILE_TCP).add(8, kEdge, FILE_TCP).add(5, kEdge, FILE_EVENTFD);
    s.mod(3, kIn).mod(7, kEdge | EPOLLOUT).after_ms(500);
    EXPECT_EQ(s.verdict("EP602"), "none");
}

TEST(MixedTriggerModes, OnceMayBeOnPurpose)
{
    Scenario s;  // folly makes chosen fds edge-triggered by MOD
    s.add(7, kIn, FILE_TCP).mod(7, kEdge).add(8, kIn, FILE_TCP).mod(8, kEdge).add(9, kIn, FILE_TCP).mod(9, kEdge);
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP602"), "none");
}

TEST(MixedTriggerModes, AnEmptyMaskIsNeither)
{
    Scenario s;  // h2o: MOD to bare EPOLLET when a connection is disposed of; others switch off with 0
    s.add(7, kIn, FILE_TCP).mod(7, EPOLLET).mod(7, kIn).mod(7, 0).mod(7, EPOLLET).mod(7, kIn).after_ms(500);
    EXPECT_EQ(s.verdict("EP602"), "none");
}

TEST(MixedTriggerModes, OneshotMakesThemTheSame)
{
    Scenario s;
    s.add(7, kEdge | EPOLLONESHOT, FILE_TCP);
    for (int i = 0; i < 6; i++)
        s.after_ms(50).arrives(7, 1).delivered(7, kIn).read(7, 1).mod(7, (i % 2 ? kEdge : kIn) | EPOLLONESHOT);
    EXPECT_EQ(s.verdict("EP602"), "none");
}

}  // namespace
}  // namespace epaudit
