// SPDX-License-Identifier: Apache-2.0
// Events whose data names no single registration (bpf/ledger_unknown.h, src/books/tables_delivered.cpp).
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint64_t kHandler = 0x7f0012345678;

uint64_t unknown(Scenario& s) { return s.tables().stat(STAT_EVENTS_UNKNOWN); }

// An event with data that no registration has.
void stray(Scenario& s, uint64_t data)
{
    posting p = s.blank(POSTING_DELIVERED);
    p.mask = EPOLLIN;
    p.data = data;
    p.file = 0;
    s.wait().post(p);
    s.returned(1);
}

TEST(SharedData, ASpinOnOneOfTwoIsASpin)
{
    Scenario s;
    s.epoll(4).add_shared(7, EPOLLIN | EPOLLOUT, FILE_TCP, kHandler).add_shared(8, EPOLLIN, FILE_TIMERFD, kHandler);
    s.spin(7, EPOLLOUT, 3000, 500);  // a timer never reports EPOLLOUT: it is the socket's
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    EXPECT_EQ(s.finding("EP201").fd.number, 7);
}

TEST(SharedData, WhichOfThemIsNotKnownButTheLoopSpins)
{
    Scenario s;
    s.epoll(4);
    for (int fd : {7, 8, 9})
        s.add_shared(fd, EPOLLIN, FILE_TCP, 0);
    s.arrives(8, 10).spin(8, EPOLLIN, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
    Finding finding = s.finding("EP202");
    EXPECT_EQ(finding.fd.number, -1);
    EXPECT_EQ(finding.epoll_fd, 4);
    EXPECT_EQ(finding.fds, 1u);
    std::string facts;
    for (const auto& [name, text] : finding.facts)
        facts += name + "=" + text + ";";
    EXPECT_NE(facts.find("tcp fd 7, tcp fd 8, tcp fd 9 have the same data, 0x0"), std::string::npos) << facts;
}

// A dispatcher with one object for everything: each event is answered by somebody.
TEST(SharedData, ADispatcherThatServesIsHealthy)
{
    for (int count : {2, 5, 40}) {
        Scenario s;
        s.epoll(4);
        for (int fd = 10; fd < 10 + count; fd++)
            s.add_shared(fd, EPOLLIN, FILE_TCP, kHandler);
        for (int i = 0; i < 4000; i++) {
            int fd = 10 + i % count;
            s.after_us(500).arrives(fd, 3).delivered(fd, EPOLLIN).read(fd, 3).read(fd, -EAGAIN);
        }
        EXPECT_EQ(s.alarms(), "") << count;
        EXPECT_EQ(unknown(s), 0u);
    }
}

// One is served while another, with the same data, is ready and waits for its turn: no spin of the loop.
TEST(SharedData, OneThatWaitsBesideOneThatIsServed)
{
    Scenario s;
    s.epoll(4).add_shared(7, EPOLLIN, FILE_TCP, 1).add_shared(8, EPOLLIN, FILE_TCP, 1).arrives(7, 10);
    for (int i = 0; i < 4000; i++)
        s.after_us(500).arrives(8, 3).delivers({{7, EPOLLIN}, {8, EPOLLIN}}).read(8, 3);
    EXPECT_EQ(s.alarms(), "");
}

TEST(SharedData, EdgesAreNews)
{
    Scenario s;
    s.epoll(4).add_shared(7, EPOLLIN | EPOLLET, FILE_TCP, 1).add_shared(8, EPOLLIN, FILE_TCP, 1);
    s.spin(7, EPOLLIN, 3000, 500);
    EXPECT_EQ(s.verdict("EP202"), "none");
}

TEST(SharedData, TheKernelsAnswerIsTaken)  // as a recording holds it
{
    Scenario s;
    s.epoll(4).add_shared(7, EPOLLIN, FILE_TCP, 1).add_shared(8, EPOLLIN, FILE_TCP, 1);
    posting p = s.blank(POSTING_DELIVERED, 8);
    p.mask = EPOLLIN;
    p.data = 1;
    s.wait().post(p);
    s.returned(1);
    EXPECT_EQ(s.registration(8).deliveries, 1u);
    EXPECT_EQ(s.registration(7).deliveries, 0u);
    EXPECT_EQ(s.epoll_books().unattributed, 0u);
}

TEST(UnknownEvents, AreLostOnceAnAddUnderWayCannotExplainThem)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    stray(s, 33);
    EXPECT_EQ(unknown(s), 0u);
    s.after_ms(1500);
    stray(s, 34);
    EXPECT_EQ(unknown(s), 1u);
}

TEST(UnknownEvents, AnAddThatIsBookedLateExplainsThem)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    stray(s, 8);  // another thread was faster than the end of epoll_ctl()
    s.after_us(50).add(8, EPOLLIN, FILE_TCP).after_ms(1500);
    stray(s, 33);
    EXPECT_EQ(unknown(s), 0u);
}

TEST(UnknownEvents, OneThatWasJustTakenOffIsExcused)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).after_ms(2000).del(7);
    stray(s, 7);
    s.after_ms(1500);
    stray(s, 33);
    EXPECT_EQ(unknown(s), 0u);
}

TEST(UnknownEvents, WhatComesAgainIsLostHoweverBusyTheEpollIs)
{
    Scenario s;
    for (int i = 0; i < 40; i++) {
        s.add(8, EPOLLIN, FILE_TCP).after_ms(10).close(8);
        stray(s, 33);
    }
    EXPECT_GE(unknown(s), 30u);
}

TEST(UnknownEvents, AreNoLossBeforeTheSeedIsOver)
{
    Scenario s;
    s.tables().set_seeded(false);
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 0; i < 10; i++) {
        s.after_ms(500);
        stray(s, 33);
    }
    EXPECT_EQ(unknown(s), 0u);
}

}  // namespace
}  // namespace epaudit
