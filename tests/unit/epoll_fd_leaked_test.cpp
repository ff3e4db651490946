// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(EpollFdLeaked, HeldByAnotherProgram)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.process(100).creates_epoll().add(7, EPOLLIN, FILE_TCP).wait();
        s.process(200).exec().after_ms(750);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP603"), "risk");
        EXPECT_EQ(s.finding("EP603").pid, 100u);
        EXPECT_EQ(s.finding("EP603").count, 1u);
    }
}

TEST(EpollFdLeaked, ClosedRightAfterExecIsNotHeld)
{
    Scenario s;
    s.process(100).creates_epoll().add(7, EPOLLIN, FILE_TCP).wait();
    for (int i = 0; i < 5; i++)
        s.process(200).exec().after_ms(300).lets_go().after_ms(100);
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP603"), "none");
    s.process(201).exec().after_ms(800);  // and one that does not
    EXPECT_EQ(s.verdict("EP603"), "risk");
    EXPECT_EQ(s.finding("EP603").count, 1u);
}

TEST(EpollFdLeaked, ForkedWorkersAreNotMeant)
{
    Scenario s;
    s.process(100).creates_epoll().add(7, EPOLLIN, FILE_TCP).wait();
    s.process(200).after_ms(500);
    EXPECT_EQ(s.verdict("EP603"), "none");
}

TEST(EpollFdLeaked, ItsOwnEpollOfTheNewProgram)
{
    Scenario s;  // exec with nothing left open: no posting names an epoll; then it makes one
    s.process(200).epoll(9).creates_epoll().add(7, EPOLLIN, FILE_TCP).wait().after_ms(500);
    EXPECT_EQ(s.verdict("EP603"), "none");
}

TEST(EpollFdLeaked, UnknownEpoll)
{
    Scenario s;  // of a process that is not watched
    s.process(200).epoll(77).exec().after_ms(500);
    EXPECT_EQ(s.verdict("EP603"), "none");
}

}  // namespace
}  // namespace epaudit
