// SPDX-License-Identifier: Apache-2.0
// Waiting, delivery and the verdict of futility (bpf/ledger_wait.h, bpf/ledger_deliver.h).
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(LedgerWait, FutileReturnsNeedADeliveryBefore)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 0u);
    s.delivered(7, EPOLLIN).delivered(7, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 2u);
    EXPECT_EQ(s.epoll_books().futile_returns, 2u);
    s.read(7, 5).delivered(7, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 0u);
    EXPECT_EQ(s.registration(7).best_run, 2u);
}

TEST(LedgerWait, ProgressOfAnotherFileSavesTheReturnAndEndsTheRun)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, FILE_TCP).arrives(7, 10).arrives(8, 100);
    s.delivered(7, EPOLLIN).delivered(7, EPOLLIN).delivered(8, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 1u);
    s.read(8, 10).delivers({{7, EPOLLIN}, {8, EPOLLIN}});
    EXPECT_EQ(s.registration(7).run, 0u);
    EXPECT_EQ(s.registration(7).best_run, 1u);
}

TEST(LedgerWait, SmallerMaskEndsARunSameMaskDoesNot)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLOUT, FILE_TCP).delivered(7, EPOLLOUT).delivered(7, EPOLLOUT);
    s.mod(7, EPOLLIN | EPOLLOUT);
    EXPECT_EQ(s.registration(7).run, 1u);
    s.mod(7, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 0u);
}

// The part of the progress token that each kind has.
struct Kind {
    uint8_t kind;
    void (*begin)(Scenario&);
    void (*progress)(Scenario&);
};

class Progress : public testing::TestWithParam<Kind> {};

TEST_P(Progress, EndsFutility)
{
    Scenario s;
    s.add(7, EPOLLIN, GetParam().kind);
    GetParam().begin(s);
    s.delivered(7, EPOLLIN).delivered(7, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 1u);
    GetParam().progress(s);
    s.delivered(7, EPOLLIN);
    EXPECT_EQ(s.registration(7).run, 0u);
}

void some_input(Scenario& s) { s.arrives(7, 5); }
void taken_unseen(Scenario& s) { s.consumed_unseen(7, 1); }

INSTANTIATE_TEST_SUITE_P(
    Kinds, Progress,
    testing::Values(Kind{FILE_TCP, some_input, taken_unseen}, Kind{FILE_UDP, some_input, taken_unseen},
                    Kind{FILE_UNIX, some_input, taken_unseen}, Kind{FILE_PIPE, some_input, taken_unseen},
                    Kind{FILE_EVENTFD, some_input, taken_unseen},
                    Kind{FILE_TIMERFD, some_input, [](Scenario& s) { s.settime(7); }},
                    Kind{FILE_LISTENER, some_input, [](Scenario& s) { s.state(7).backlog -= 1; }},
                    Kind{FILE_SIGNALFD, some_input, [](Scenario& s) { s.read(7, 128); }},
                    Kind{FILE_TCP, [](Scenario& s) { s.reset(7); }, [](Scenario& s) { s.state(7).aux = 0; }},
                    Kind{FILE_UDP, [](Scenario& s) { s.state(7).aux = 2 << 16; },
                         [](Scenario& s) { s.state(7).aux = 1 << 16; }}));

TEST(LedgerWait, KindsWeDoNotKnowAlwaysMakeProgress)
{
    for (uint8_t kind : {FILE_UNKNOWN, FILE_OTHER, FILE_EPOLL}) {
        Scenario s;
        s.add(7, EPOLLIN, kind).delivered(7, EPOLLIN).delivered(7, EPOLLIN).delivered(7, EPOLLIN);
        EXPECT_EQ(s.registration(7).run, 0u);
    }
}

TEST(LedgerWait, OneshotFiresIsRearmedAndCounted)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_TCP).arrives(7, 1).delivered(7, EPOLLIN);
    EXPECT_TRUE(s.registration(7).flags & REGISTRATION_FIRED);
    s.mod(7, EPOLLIN | EPOLLONESHOT);
    EXPECT_FALSE(s.registration(7).flags & REGISTRATION_FIRED);
    s.delivered(7, EPOLLIN).after_ms(1500).mod(7, EPOLLIN | EPOLLONESHOT);
    EXPECT_EQ(s.epoll_books().fired, 2u);
    EXPECT_EQ(s.epoll_books().rearms, 2u);
    EXPECT_EQ(s.epoll_books().rearms_fast, 1u);
}

// Another thread gets the next event before this MOD is seen to end: the kernel's item says that it has fired.
TEST(LedgerWait, ARearmDoesNotClearAFiringThatCameAfterIt)
{
    constexpr uint32_t kOnce = EPOLLIN | EPOLLONESHOT;
    Scenario s;
    s.add(7, kOnce, FILE_TCP).arrives(7, 1).delivered(7, EPOLLIN);
    s.thread(101).after_us(10).delivered(7, EPOLLIN).thread(100);
    posting p = s.after_us(10).blank(POSTING_MOD, 7);
    p.mask = kOnce;
    p.data = 7;
    p.flags = POSTING_REFIRED;
    s.post(p);
    EXPECT_TRUE(s.registration(7).flags & REGISTRATION_FIRED);
    EXPECT_EQ(s.registration(7).fired_at, s.registration(7).delivered_at);
    EXPECT_EQ(s.epoll_books().rearms, 1u);
    s.mod(7, kOnce);
    EXPECT_FALSE(s.registration(7).flags & REGISTRATION_FIRED);
}

TEST(LedgerWait, EdgePassesAndEventlessIo)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 100).delivered(7, EPOLLIN);
    s.read(7, 10).read(7, 10).after_ms(1).read(7, 10);  // one pass
    EXPECT_EQ(s.file(7).eventless_io, 0u);
    s.after_ms(15).read(7, 10);  // over after 10 ms
    EXPECT_EQ(s.file(7).eventless_io, 1u);
    s.delivered(7, EPOLLIN).read(7, 10).after_us(10).wait().after_ms(1).read(7, 10);  // over when its thread waits
    EXPECT_EQ(s.file(7).eventless_io, 2u);
    EXPECT_EQ(s.epoll_books().eventless_io, 2u);
}

TEST(LedgerWait, RescueNeedsAgeAndAFreshEdge)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).read(7, 4, 4).wait();
    s.after_ms(100).arrives(7, 1).delivered(7, EPOLLIN).read(7, 1, 1).wait();  // too young
    EXPECT_EQ(s.file(7).rescues, 0u);
    s.after_ms(250).arrives(7, 1).delivered(7, EPOLLIN).after_ms(20).read(7, 1, 1).wait();  // not at once
    EXPECT_EQ(s.file(7).rescues, 0u);
    s.after_ms(250).arrives(7, 1).delivered(7, EPOLLIN).after_ms(1).read(7, 1, 1).wait();
    EXPECT_EQ(s.file(7).rescues, 1u);
    EXPECT_EQ(s.epoll_books().rescues, 1u);
    s.after_us(10).mod(7, kEdge).after_ms(250).delivered(7, EPOLLIN).read(7, 1, 1);  // told because of the re-arm
    EXPECT_EQ(s.file(7).rescues, 1u);
}

TEST(LedgerWait, IgnoredEdges)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).after_ms(150).delivered(7, EPOLLIN);
    EXPECT_EQ(s.file(7).ignored_edges, 1u);
    s.after_ms(150).read(7, 10);
    EXPECT_EQ(s.file(7).ignored_edges, 2u);
}

TEST(LedgerWait, ListenerPassesThatLeaveABacklog)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER).arrives(3, 9).delivered(3, EPOLLIN).accept(3, 20);
    s.after_ms(250).delivered(3, EPOLLIN).accept(3, 21);
    EXPECT_EQ(s.file(3).left_passes, 1u);
    s.after_ms(250).delivered(3, EPOLLIN).accept(3, 22).accept(3, -EAGAIN);
    EXPECT_EQ(s.file(3).left_passes, 2u);
    s.after_ms(250).delivered(3, EPOLLIN);  // that pass ended in EAGAIN
    EXPECT_EQ(s.file(3).left_passes, 0u);
}

TEST(LedgerWait, WaitsByOutcome)
{
    Scenario s;
    s.wait(0).returned(0).wait(100).returned(0).wait().returned(-EINTR);
    s.add(7, EPOLLIN, FILE_TCP).delivered(7, EPOLLIN);
    const epoll_row& e = s.epoll_books();
    EXPECT_EQ(e.waits, 4u);
    EXPECT_EQ(e.timeouts, 2u);
    EXPECT_EQ(e.zero_timeouts, 1u);
    EXPECT_EQ(e.interrupts, 1u);
    EXPECT_EQ(e.returns, 1u);
    EXPECT_EQ(e.events, 1u);
}

TEST(LedgerWait, LatencyAndHandlingAreBinned)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).wait().ready(7).after_us(100).delivered(7, EPOLLIN).after_us(1000).wait();
    EXPECT_EQ(s.epoll_books().latency[6], 1u);   // 64..127 us
    EXPECT_EQ(s.epoll_books().handling[9], 1u);  // 512..1023 us
}

TEST(LedgerWait, WokenAndFoundNothing)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    s.woken(100, 3, 1000).woken(100, 3, 21000);  // the first delivered nothing: the next one is its witness
    EXPECT_EQ(s.file(3).wakes, 2u);
    EXPECT_EQ(s.file(3).wasted_wakes, 1u);
    s.woken(100, 3, 41000);
    EXPECT_EQ(s.file(3).wasted_cpu, 40000u);
    s.delivered(3, EPOLLIN).accept(3, 20);
    EXPECT_EQ(s.file(3).wasted_wakes, 2u);
}

}  // namespace
}  // namespace epaudit
