// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kParent = 100;
constexpr uint32_t kChild = 200;

// fd 7 is registered by the parent, which waits; the child has just been forked.
Scenario& forked(Scenario& s)
{
    s.process(kParent).creates_epoll().add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, FILE_TCP).wait();
    return s.process(kChild);
}

void gone(Scenario& s, uint32_t pid) { s.tables().set_process({pid, "server", "/usr/sbin/server", RunState::kGone}); }

TEST(EpollSharedAcrossFork, ChildRemovesWhatTheParentUses)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);  // systemd #72
        forked(s).del(7);
        s.after_ms(3000);
        EXPECT_EQ(s.alarms(), "EP503 confirmed");
        EXPECT_EQ(s.finding("EP503").shape, "epoll_ctl(DEL) on an inherited epoll");
        EXPECT_EQ(s.finding("EP503").pid, kChild);
    }
}

TEST(EpollSharedAcrossFork, ChildChangesTheMask)
{
    Scenario s;  // polling #37
    forked(s).mod(7, EPOLLIN | EPOLLOUT);
    s.after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP503 confirmed");
}

TEST(EpollSharedAcrossFork, EventsOfTheParentComeToTheChild)
{
    Scenario s;
    forked(s).delivered_elsewhere(7, EPOLLIN);
    s.after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP503 confirmed");
    EXPECT_EQ(s.finding("EP503").shape, "both wait on an inherited epoll");
}

TEST(EpollSharedAcrossFork, EventsThatComeToTheWrongProcessAllTheTime)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);  // a busy server: the newest is always a moment old
        forked(s);
        for (int i = 0; i < 400 && s.verdict("EP503") == "none"; i++)
            s.after_ms(10).delivered_elsewhere(7, EPOLLIN).wait();
        EXPECT_EQ(s.verdict("EP503"), "confirmed");
    }
    Scenario s;
    forked(s);
    for (int i = 0; i < 3000; i++)
        s.after_ms(1).delivered_elsewhere(7, EPOLLIN).wait();
    EXPECT_EQ(s.alarms(), "EP503 confirmed") << "that it spins is the same fault";
}

TEST(EpollSharedAcrossFork, ABusyDaemonWhoseParentExitsInTime)
{
    Scenario s(Profile::kProduction);
    forked(s);
    for (int i = 0; i < 100; i++) {
        s.after_ms(10).delivered_elsewhere(7, EPOLLIN).wait();
        EXPECT_EQ(s.verdict("EP503"), "none");
    }
    gone(s, kParent);
    for (int i = 0; i < 400; i++)
        s.after_ms(10).delivered_elsewhere(7, EPOLLIN).wait();
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, BothWaitAndBothGetEvents)
{
    Scenario s;  // inherited connections: the number leads to the file on both sides
    forked(s);
    for (int i = 0; i < 40; i++) {
        s.process(kChild).arrives(7, 5).delivered(7, EPOLLIN).read(7, 5).wait();
        s.process(kParent).arrives(8, 5).delivered(8, EPOLLIN).read(8, 5).wait().after_ms(100);
    }
    EXPECT_EQ(s.alarms(), "EP503 likely");
}

// clone(CLONE_FILES) without CLONE_THREAD: what one opens, registers and closes is the other's as well.
TEST(EpollSharedAcrossFork, OneTableOfDescriptorsIsQuiet)
{
    Scenario s;
    forked(s);
    auto kin = [&s](uint8_t kind, int fd, uint32_t mask, int64_t result) {
        posting p = s.blank(kind, fd);
        p.mask = mask;
        p.data = static_cast<uint64_t>(fd);
        p.result = result;
        p.flags |= POSTING_KIN;
        s.post(p);
    };
    for (int i = 0; i < 40; i++) {
        s.process(kChild).arrives(7, 5).wait();
        kin(POSTING_RETURN, -1, 0, 1);
        s.read(7, 5);
        kin(POSTING_MOD, 7, EPOLLIN, 0);
        s.wait().process(kParent).arrives(8, 5).delivered(8, EPOLLIN).read(8, 5).wait().after_ms(100);
    }
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, ChildThatOnlyClosesIsQuiet)
{
    Scenario s;  // haproxy, asio, libev, libuv, PostgreSQL
    forked(s);
    posting p = s.blank(POSTING_CLOSE, 7);
    p.epoll = 0;
    s.post(p);  // not the last reference
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, ChildWithAnEpollOfItsOwn)
{
    Scenario s;
    forked(s).epoll(5).creates_epoll().add(9, EPOLLIN, FILE_TCP).wait().arrives(9, 5).delivered(9, EPOLLIN).read(9, 5);
    s.mod(9, EPOLLIN | EPOLLOUT).del(9).after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, DaemonWhoseParentExits)
{
    Scenario s(Profile::kProduction);
    forked(s).mod(7, EPOLLIN | EPOLLOUT).delivered_elsewhere(8, EPOLLIN);
    gone(s, kParent);
    s.wait().after_ms(30000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, HandedOver)
{
    Scenario s;  // only the child holds the file any more
    forked(s);
    posting p = s.blank(POSTING_DEL, 7);
    p.flags = POSTING_LAST;
    s.post(p);
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, FailedDelDoesNothing)
{
    Scenario s;
    forked(s).del(7, -ENOENT).after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, WhatExistedBeforeHasNoKnownOwner)
{
    Scenario s;
    s.process(kParent).seeded(7, EPOLLIN, FILE_TCP).wait();
    s.process(kChild).mod(7, EPOLLIN | EPOLLOUT).del(7).after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

// It tidies up what it inherited, and execs or exits: gone before anybody looked, and its parent is deaf.
TEST(EpollSharedAcrossFork, ShortLivedChildThatTidiesUp)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        forked(s).del(7);
        gone(s, kChild);
        s.after_ms(3000);
        EXPECT_EQ(s.alarms(), "EP503 likely");
    }
    Scenario each;  // one for each request: the newest is always a moment old
    each.process(kParent).creates_epoll().wait();
    for (uint32_t child = 200; child < 280; child++) {
        each.process(kParent).add(7, EPOLLIN, FILE_TCP).process(child).del(7);
        gone(each, child);
        each.process(kParent).after_ms(50).close(7);
    }
    EXPECT_EQ(each.alarms(), "EP503 likely");
}

TEST(EpollSharedAcrossFork, ShortLivedChildThatWasToldSomething)
{
    Scenario s;  // what may have been an exec's run-up
    forked(s).delivered_elsewhere(7, EPOLLIN);
    gone(s, kChild);
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

TEST(EpollSharedAcrossFork, ShortLivedChildOfAParentThatExits)
{
    Scenario s;
    forked(s).del(7);
    gone(s, kChild);
    gone(s, kParent);
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP503"), "none");
}

}  // namespace
}  // namespace epaudit
