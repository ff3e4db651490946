// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(Tables, HealthyRowsAreNotInTheSnapshot)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).add(8, kEdge, FILE_TCP).arrives(7, 10).wait();
    EXPECT_TRUE(s.snapshot().entries.empty());
}

TEST(Tables, WaitingInputUnderEdgeIsALook)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).wait().after_ms(1);
    Snapshot books = s.snapshot();
    ASSERT_EQ(books.entries.size(), 1u);
    const Entry& e = books.entries[0];
    EXPECT_EQ(e.key.fd, 7);
    EXPECT_EQ(e.state.unread, 10u);
    EXPECT_EQ(e.file.unread, 10u);
    EXPECT_EQ(e.file.stuck_at, s.now());
    EXPECT_EQ(e.chain, 1u);
    EXPECT_FALSE(e.ready);
    EXPECT_EQ(e.live_mask, kEdge | EPOLLERR | EPOLLHUP);
}

TEST(Tables, OnTheReadyListIsNoLook)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 10).ready(7).wait();
    EXPECT_TRUE(s.snapshot().entries.empty());
    s.tables().set_ready(s.key(7), false);
    EXPECT_EQ(s.snapshot().entries.size(), 1u);
}

TEST(Tables, StuckSinceTheSameInputWasFirstSeen)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).at_ms(300);
    uint64_t first = s.file(7).stuck_at;
    s.arrives(7, 5).at_ms(900);  // more of it is still the same unread input
    EXPECT_EQ(s.file(7).stuck_at, first);
    s.consumed_unseen(7, 1).at_ms(1300);  // by io_uring
    EXPECT_GT(s.file(7).stuck_at, first);
    s.consumed_unseen(7, 14).at_ms(1600);
    EXPECT_EQ(s.file(7).stuck_at, 0u);
}

TEST(Tables, FiredOneshotShowsThePrivateBitsOnly)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLONESHOT, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN).wait();
    ASSERT_EQ(s.snapshot().entries.size(), 1u);
    EXPECT_EQ(s.snapshot().entries[0].live_mask, uint32_t{EPOLLONESHOT});
}

TEST(Tables, FileRegisteredNowhereIsListedWithoutEpoll)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).peer_closes(7).del(7);
    Snapshot books = s.snapshot();
    ASSERT_EQ(books.entries.size(), 1u);
    EXPECT_EQ(books.entries[0].key.epoll, 0u);
    EXPECT_EQ(books.entries[0].key.fd, 7);
    EXPECT_EQ(books.entries[0].state.sk_state, 8);
}

TEST(Tables, AllRegistrationsOfAFileTogether)
{
    Scenario s;
    s.epoll(4).add(7, EPOLLIN, FILE_TCP).epoll(5).add(7, EPOLLOUT, FILE_TCP).peer_closes(7);
    Snapshot books = s.snapshot();
    ASSERT_EQ(books.of_file(s.file_id(7)).size(), 2u);
    EXPECT_EQ(books.entries[0].chain, 2u);
    EXPECT_EQ(books.entries[1].chain, 2u);
}

// A process that exits closes nothing that we see; the next one may get the same addresses and numbers.
TEST(Tables, AddressesThatComeAgainAreNotThePastOfAnother)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 1).spin(7, EPOLLIN, 150, 10);
    const uint32_t first = s.file(7).tgid;
    posting p = s.blank(POSTING_ADD, 7);
    p.ino += 1;
    p.tgid = first + 1;
    p.mask = EPOLLIN;
    s.post(p);
    EXPECT_EQ(s.file(7).tgid, first + 1);
    EXPECT_EQ(s.registration(7).run, 0u);
    EXPECT_EQ(s.registration(7).best_run, 0u);
    Snapshot books = s.snapshot();
    ASSERT_EQ(books.buried.size(), 1u);
    EXPECT_EQ(books.buried[0].registration.best_run, 149u);
    EXPECT_EQ(books.buried[0].file.tgid, first);
}

TEST(Tables, WhatItsRunsWereLikeGoesWithTheRegistration)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    EXPECT_FALSE(s.registration(7).ran) << "most never have a run, nor a row for it";
    s.arrives(7, 1).spin(7, EPOLLIN, 150, 10);
    EXPECT_TRUE(s.registration(7).ran);
    EXPECT_EQ(s.runs(7).futile, 149u);
    EXPECT_EQ(s.snapshot().entries.at(0).runs.futile, 149u);
    s.del(7);
    EXPECT_EQ(s.runs(7).futile, 0u);
    s.add(7, EPOLLIN, FILE_TCP);
    EXPECT_FALSE(s.registration(7).ran);
    EXPECT_EQ(s.snapshot().buried.at(0).runs.futile, 149u) << "last words have it";
}

TEST(Tables, LastWordsAreHandedOutOnce)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 1).spin(7, EPOLLIN, 150, 10).close(7);
    Snapshot books = s.snapshot();
    ASSERT_EQ(books.buried.size(), 1u);
    EXPECT_EQ(books.buried[0].registration.best_run, 149u);
    EXPECT_TRUE(books.buried[0].buried);
    EXPECT_TRUE(s.snapshot().buried.empty());
}

TEST(Tables, GoneRegistrationsAreDroppedByTheSweep)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, FILE_TCP);
    s.tables().set_gone(s.key(7));
    s.snapshot();
    EXPECT_EQ(s.tables().registrations(), 1u);
    EXPECT_EQ(s.epoll_books().registrations, 1u);
    EXPECT_EQ(s.tables().indexes(), 1u);
}

TEST(Tables, ClosedEpollTakesItsRegistrationsAlong)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).epoll(5).add(8, EPOLLIN, FILE_TCP).epoll(4);
    posting p = s.blank(POSTING_CLOSE, 4);
    p.flags = POSTING_LAST;
    s.post(p);
    EXPECT_EQ(s.tables().registrations(), 1u);
    EXPECT_EQ(s.tables().epoll(s.epoll_id()), nullptr);
}

TEST(Tables, InterleavedReturnsOfTwoThreadsStayApart)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).add(8, EPOLLIN, FILE_TCP).arrives(7, 9).arrives(8, 9);
    s.delivered(7, EPOLLIN).delivered(8, EPOLLIN);  // the first ones are never futile
    auto event = [&](uint32_t tid, int fd) {
        posting p = s.blank(POSTING_DELIVERED);
        p.tid = tid;
        p.data = static_cast<uint64_t>(fd);
        p.mask = EPOLLIN;
        p.flags = POSTING_STATE;
        p.state = s.state(fd);
        s.post(p);
    };
    s.thread(101).wait().thread(102).wait();
    s.read(8, 1);  // progress on 8 only
    event(101, 7);
    event(102, 8);
    s.thread(101).returned(1).thread(102).returned(1);
    EXPECT_EQ(s.registration(7).run, 1u);
    EXPECT_EQ(s.registration(8).run, 0u);
    EXPECT_EQ(s.epoll_books().futile_returns, 1u);
}

TEST(Tables, EveryPostingIsCountedByKind)
{
    Scenario s;
    uint64_t before = s.tables().stat(STAT_POSTINGS);
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 5).read(7, 5).read(7, -EAGAIN);
    EXPECT_EQ(s.tables().stat(STAT_POSTINGS), before + 3);
    EXPECT_EQ(s.tables().stat(uint32_t{STAT_CALLS} + POSTING_READ), 2u);
}

TEST(Tables, AnyPostingsKeepTheIndexInStep)
{
    EXPECT_TRUE(rc::check("registrations, index sums and counts agree whatever is posted", [] {
        Tables tables;
        auto count = *rc::gen::inRange(1, 400);
        for (int i = 0; i < count; i++) {
            posting p{};
            p.time = 1000 + static_cast<u64>(i) * 1000000;
            p.kind = *rc::gen::inRange<u8>(0, POSTING_KINDS + 2);
            p.fd = *rc::gen::inRange(0, 4);
            p.file = 0x100 + static_cast<u64>(p.fd);
            p.ino = *rc::gen::inRange<u64>(1, 3);
            p.epoll = *rc::gen::inRange<u64>(1, 3);
            p.data = *rc::gen::inRange<u64>(0, 3);
            p.mask = *rc::gen::element<u32>(EPOLLIN, kEdge, EPOLLIN | EPOLLONESHOT, EPOLLOUT, 0);
            p.result = *rc::gen::element<s64>(0, 1, 5, -EAGAIN, -ENOENT);
            p.amount = *rc::gen::inRange<s64>(-1, 10);
            p.file_kind = *rc::gen::inRange<u8>(0, FILE_KINDS);
            p.flags = *rc::gen::inRange<u8>(0, 16);
            p.tgid = p.tid = *rc::gen::inRange<u32>(1, 3);
            p.state.unread = *rc::gen::inRange<u32>(0, 3);
            tables.apply(p);
            if (i % 16 == 0)
                tables.snapshot(p.time);
        }
        Snapshot books = tables.snapshot(1000 + 400 * 1000000ULL);
        u64 counted = 0;
        for (const auto& [id, row] : books.epolls)
            counted += row.registrations;
        RC_ASSERT(tables.registrations() >= tables.indexes());
        RC_ASSERT(counted == tables.registrations());
    }));
}

TEST(Snapshot, LoopIdle)
{
    Scenario s;
    uint64_t minute = 60 * NSEC_PER_SEC;
    EXPECT_FALSE(s.snapshot().loop_idle(s.epoll_id(), minute));  // nobody known
    s.wait();
    EXPECT_TRUE(s.snapshot().loop_idle(s.epoll_id(), minute));
    s.thread(101).wait().returned(-EINTR);
    EXPECT_FALSE(s.snapshot().loop_idle(s.epoll_id(), minute));
    s.after_ms(61000);
    EXPECT_TRUE(s.snapshot().loop_idle(s.epoll_id(), minute));  // not of this loop any more
    s.thread(100).wait(0);
    EXPECT_FALSE(s.snapshot().loop_idle(s.epoll_id(), minute));  // polling
}

TEST(Snapshot, Waiters)
{
    Scenario s;
    s.wait().thread(101).wait().thread(102).wait().returned(0).thread(103).epoll(9).wait().epoll(4);
    EXPECT_EQ(s.snapshot().waiters(s.epoll_id()), 2u);
}

}  // namespace
}  // namespace epaudit
