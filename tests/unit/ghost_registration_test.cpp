// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(GhostRegistration, EventsForAClosedNumberAreConfirmed)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(7, EPOLLIN, FILE_TCP).close_number(7);  // a dup, or a forked child, keeps the file
        for (int i = 0; i < 4; i++)
            s.after_ms(300).arrives(7, 10).delivered(7, EPOLLIN);
        EXPECT_EQ(s.alarms(), "EP303 likely");
        for (int i = 0; i < 8; i++)
            s.after_ms(300).arrives(7, 10).delivered(7, EPOLLIN);
        EXPECT_EQ(s.alarms(), "EP303 confirmed");
        EXPECT_GE(s.finding("EP303").count, 10u);
    }
}

TEST(GhostRegistration, DelSaysEbadf)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close_number(7).ctl_closed(POSTING_DEL, 7, -EBADF).after_ms(800);
    EXPECT_EQ(s.alarms(), "");
    s.after_ms(700);
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
    EXPECT_EQ(s.finding("EP303").shape, "epoll_ctl on the closed number = EBADF or ENOENT");
}

TEST(GhostRegistration, TheNumberIsAnotherFilesNow)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close_number(7).reopen(7);  // the number leads to a new connection
    s.mod(7, EPOLLIN, -ENOENT).after_ms(1500);
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
}

TEST(GhostRegistration, ASpinOnAGhostIsThisRulesAlone)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).close_number(7).after_ms(20);
    s.spin(7, EPOLLIN, 4000, 500, [](Scenario& t) { t.ctl_closed(POSTING_DEL, 7, -EBADF); });
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
    std::string facts;
    for (const auto& [name, text] : s.finding("EP303").facts)
        facts += text;
    EXPECT_NE(facts.find("epoll_ctl(DEL) failed between returns"), std::string::npos) << facts;
}

// A child per connection that ends after 0.4 s, a worker that the connection was passed on to: none of the ghosts lives
// for a second, and there is always one.
TEST(GhostRegistration, GhostsThatPassAreToldTogether)
{
    Scenario s;
    for (int one = 0; one < 8; one++) {
        s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).close_number(7).after_ms(20);
        s.spin(7, EPOLLIN, 800, 500).process(200).close(7).process(100).wait().after_ms(20);
    }
    s.after_ms(500);
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
}

TEST(GhostRegistration, TwoOfThemAreNot)
{
    Scenario s;
    for (int one = 0; one < 2; one++) {
        s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).close_number(7).after_ms(20);
        s.spin(7, EPOLLIN, 1500, 500).process(200).close(7).process(100).wait().after_ms(20);
    }
    s.after_ms(500);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

TEST(GhostRegistration, ExistenceAloneIsAHazard)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close_number(7).after_ms(5000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP303"), "risk");
}

TEST(GhostRegistration, FixedRemovesItFirst)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).del(7).close_number(7).after_ms(5000);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

TEST(GhostRegistration, TheLastCloseRemovesIt)
{
    Scenario s;  // nginx, asio, Netty; a sloppy DEL afterwards meets nothing
    s.add(7, EPOLLIN, FILE_TCP).close(7).ctl_closed(POSTING_DEL, 7, -EBADF).after_ms(5000);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

TEST(GhostRegistration, AChildClosesItsCopies)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).process(200).close_number(7).process(100);
    for (int i = 0; i < 20; i++)
        s.after_ms(200).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

// A graceful restart: the old process stops to listen, and the new one listens under the same number. Its spin is a spin.
TEST(GhostRegistration, TheSuccessorsListenerIsItsOwn)
{
    Scenario s;
    s.process(100).epoll(4).add(7, EPOLLIN, FILE_LISTENER).process(200).epoll(5).add(7, EPOLLIN, FILE_LISTENER);
    s.process(100).epoll(4).del(7).close_number(7);
    s.process(200).epoll(5).wait().arrives(7, 1);
    for (int i = 0; i < 4000; i++)
        s.delivered(7, EPOLLIN).wait().after_ms(1);
    EXPECT_EQ(s.verdict("EP303"), "none");
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(GhostRegistration, BrieflyHeldByAChildOnItsWayToExec)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close_number(7).ctl_closed(POSTING_DEL, 7, -EBADF).after_ms(5);
    s.process(200).close(7).process(100).after_ms(3000);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

TEST(GhostRegistration, Dup2BackToTheNumberHealsIt)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close_number(7);  // and dup2(dup, 7)
    for (int i = 0; i < 20; i++)
        s.after_ms(200).arrives(7, 10).delivered(7, EPOLLIN).read(7, 10);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

TEST(GhostRegistration, TheDuplicateIsUsedOnPurpose)
{
    Scenario s;  // data.ptr leads to an object that now holds the other number
    s.add(7, EPOLLIN, FILE_TCP).close_number(7);
    for (int i = 0; i < 20; i++) {
        s.after_ms(200).arrives(7, 10).delivered(7, EPOLLIN);
        s.consumed_unseen(7, 10);
        posting p = s.blank(POSTING_READ, 7);
        p.fd = 9;  // another number of the same file
        p.result = 10;
        p.amount = 4096;
        s.post(p);
    }
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP303"), "risk");
}

TEST(GhostRegistration, EventsOfTheSameBatchDoNotCount)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close_number(7);
    s.after_us(50).arrives(7, 10).delivered(7, EPOLLIN).after_us(50).delivered(7, EPOLLIN).after_ms(3000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(GhostRegistration, ClosedBeforeWeLooked)
{
    for (int error : {EBADF, ENOENT}) {
        Scenario s;  // the kernel's list has the number, and the call on it fails
        s.seeded(7, EPOLLIN, FILE_TCP).arrives(7, 10);
        s.spin(7, EPOLLIN, 4000, 500, [&](Scenario& t) { t.ctl_unreached(POSTING_DEL, 7, -error); });
        EXPECT_EQ(s.alarms(), "EP303 confirmed");
    }
}

TEST(GhostRegistration, ClosedWhereNoHookSawIt)
{
    Scenario s;  // close_range()
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10);
    s.spin(7, EPOLLIN, 4000, 500, [](Scenario& t) { t.ctl_unreached(POSTING_MOD, 7, -EBADF); });
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
}

TEST(GhostRegistration, ANumberOfAnotherProcessIsNoGhost)
{
    Scenario s;  // a child shares the epoll and has closed its copy: EP503
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).process(200);
    for (int i = 0; i < 20; i++)
        s.after_ms(100).ctl_unreached(POSTING_DEL, 7, -EBADF);
    s.after_ms(2000);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

// Told on and on where the number leads elsewhere or nowhere, and nothing is done about it.
void told_elsewhere(Scenario& s, int fd, unsigned times, const std::function<void(Scenario&)>& between = {})
{
    for (unsigned i = 0; i < times; i++) {
        s.after_us(500).delivered_elsewhere(fd, EPOLLIN);
        if (between)
            between(s);
    }
}

TEST(GhostRegistration, ClosedBeforeWeLookedAndNeverTouched)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.seeded(7, EPOLLIN, FILE_TCP).arrives(7, 10);
        told_elsewhere(s, 7, 6000);
        EXPECT_EQ(s.alarms(), "EP303 confirmed");
        EXPECT_EQ(s.finding("EP303").pid, 100u);
    }
}

TEST(GhostRegistration, WhatItsNumberLeadsToIsNone)
{
    Scenario s;  // the same story, but the number leads to the file: it is the program that leaves it alone
    s.seeded(7, EPOLLIN, FILE_TCP).arrives(7, 10).spin(7, EPOLLIN, 4000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(GhostRegistration, ItsFileWasFoundInAChild)
{
    Scenario s;  // the child has the duplicate, so the file was seeded as the child's
    s.process(200).seeded(7, EPOLLIN, FILE_TCP).arrives(7, 10).process(100);
    told_elsewhere(s, 7, 4000);
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
    EXPECT_EQ(s.finding("EP303").pid, 100u);
}

TEST(GhostRegistration, ClosedWhereNoHookSawItAndNeverTouched)
{
    Scenario s;  // by io_uring on 5.10, say: no epoll_ctl fails, but a spin is reason to ask
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10);
    told_elsewhere(s, 7, 4000);
    EXPECT_EQ(s.alarms(), "EP303 confirmed");
}

TEST(GhostRegistration, ClosedBeforeWeLookedAndUsedUnderAnotherNumber)
{
    Scenario s;
    s.seeded(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 20; i++) {
        s.after_ms(200).arrives(7, 10).delivered_elsewhere(7, EPOLLIN);
        s.consumed_unseen(7, 10);
        posting p = s.blank(POSTING_READ, 7);
        p.fd = 9;
        p.result = 10;
        p.amount = 4096;
        s.post(p);
    }
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP303"), "risk");
}

TEST(GhostRegistration, ClosedBeforeWeLookedAndSomebodyElseReadsIt)
{
    Scenario s;  // a child serves the connection; we are told of all that it gets, in vain, but it is no spin
    s.seeded(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 40; i++)
        s.after_ms(200).arrives(7, 10).delivered_elsewhere(7, EPOLLIN).consumed_unseen(7, 10);
    EXPECT_EQ(s.alarms(), "EP303 likely");
}

TEST(GhostRegistration, BothProcessesWaitOnTheEpoll)
{
    Scenario s;  // the other one may have registered it: an inherited epoll, which EP503 tells of
    s.process(200).seeded(7, EPOLLIN, FILE_TCP).arrives(7, 10).wait().process(100);
    told_elsewhere(s, 7, 4000);
    EXPECT_EQ(s.verdict("EP303"), "risk");
    EXPECT_NE(s.alarms().find("EP202"), std::string::npos) << s.alarms();
}

TEST(GhostRegistration, Dup2BackHealsWhatWasClosedBeforeWeLooked)
{
    Scenario s;
    s.seeded(7, EPOLLIN, FILE_TCP).arrives(7, 10).delivered_elsewhere(7, EPOLLIN);
    for (int i = 0; i < 20; i++)
        s.after_ms(200).read(7, 10).arrives(7, 10).delivered(7, EPOLLIN);
    EXPECT_EQ(s.verdict("EP303"), "none");
}

}  // namespace
}  // namespace epaudit
