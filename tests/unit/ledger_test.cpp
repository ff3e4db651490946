// SPDX-License-Identifier: Apache-2.0
// How each posting changes the books (bpf/ledger*.h).
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(Ledger, AddOpensFileRegistrationAndEpoll)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    EXPECT_EQ(s.file(7).kind, FILE_TCP);
    EXPECT_EQ(s.file(7).tgid, 100u);
    EXPECT_EQ(s.registration(7).mask, uint32_t{EPOLLIN});
    EXPECT_TRUE(s.registration(7).flags & REGISTRATION_KNOWN);
    EXPECT_EQ(s.epoll_books().registrations, 1u);
    EXPECT_EQ(s.epoll_books().fd, 4);
    EXPECT_EQ(s.tables().indexes(), 1u);
}

TEST(Ledger, SeedMeetsAFileBeforeItsEpoll)
{
    Scenario s;  // descriptors are walked by number, and the listener's is the smaller one
    s.epoll(5);
    posting file = s.blank(POSTING_SEEDED, 3);
    file.epfd = -1;
    file.mask = EPOLLIN;
    s.post(file);
    EXPECT_EQ(s.epoll_books().fd, -1);
    s.wait();
    EXPECT_EQ(s.epoll_books().fd, 5);
    file.fd = 9;  // and one more file of the same epoll, later
    s.post(file);
    EXPECT_EQ(s.epoll_books().fd, 5);
}

TEST(Ledger, FailedAddChangesNothingButTheErrorCount)
{
    Scenario s;
    s.add_shared(7, EPOLLIN, FILE_TCP, 7, -EEXIST);
    EXPECT_EQ(s.tables().registrations(), 0u);
    EXPECT_EQ(s.epoll_books().ctl_errors, 1u);
}

TEST(Ledger, DelRemovesTheRegistrationAndKeepsTheFile)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).del(7);
    EXPECT_EQ(s.tables().registrations(), 0u);
    EXPECT_EQ(s.tables().indexes(), 0u);
    EXPECT_EQ(s.tables().files(), 1u);
    EXPECT_EQ(s.epoll_books().registrations, 0u);
}

TEST(Ledger, LastCloseRemovesEverything)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).close(7);
    EXPECT_EQ(s.tables().registrations(), 0u);
    EXPECT_EQ(s.tables().files(), 0u);
    EXPECT_EQ(s.tables().indexes(), 0u);
}

TEST(Ledger, CloseOfADupKeepsTheFile)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    s.post(s.blank(POSTING_CLOSE, 7));  // not LAST
    EXPECT_EQ(s.tables().registrations(), 1u);
    EXPECT_TRUE(s.file(7).flags & FILE_CLOSED);
}

TEST(Ledger, RequestsAndWhatTheyCost)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 20).delivered(7, EPOLLIN).read(7, 10).read(7, -EAGAIN).write(7, 10);
    s.add(8, EPOLLIN, FILE_EVENTFD).delivered(8, EPOLLIN).read(8, 8);  // a wake-up is no request
    EXPECT_EQ(s.tables().stat(STAT_REQUESTS), 1u);
    EXPECT_EQ(s.tables().stat(STAT_IO), 4u);
    s.read(7, -EINTR);  // has not happened
    EXPECT_EQ(s.tables().stat(STAT_IO), 4u);
}

TEST(Ledger, ModOfAnUnknownRegistrationMakesItKnown)
{
    Scenario s;
    posting p = s.blank(POSTING_MOD, 7);
    p.mask = kEdge;
    p.data = 7;
    p.file_kind = FILE_TCP;
    s.post(p);
    EXPECT_EQ(s.registration(7).mask, kEdge);
    EXPECT_EQ(s.epoll_books().registrations, 1u);
    s.read(7, -EAGAIN);  // an edge may have come before we looked: no evidence of event-less I/O
    EXPECT_EQ(s.file(7).eventless_io, 0u);
    s.del(7);
    EXPECT_EQ(s.epoll_books().registrations, 0u);
}

TEST(Ledger, FailedModIsRememberedUntilOneSucceeds)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).mod(7, EPOLLIN, -ENOENT);
    EXPECT_EQ(s.file(7).rearm_errno, uint32_t{ENOENT});
    s.mod(7, EPOLLIN);
    EXPECT_EQ(s.file(7).rearm_errno, 0u);
    s.mod(7, EPOLLIN, -ENOENT).del(7).add(7, EPOLLIN, FILE_TCP);  // libevent, photon
    EXPECT_EQ(s.file(7).rearm_errno, 0u);
}

TEST(Ledger, SharedDataNamesNobodyUntilOneIsGone)
{
    Scenario s;
    s.add_shared(7, EPOLLIN, FILE_TCP, 99).add_shared(8, EPOLLIN, FILE_TCP, 99).delivered(7, EPOLLIN);
    EXPECT_EQ(s.epoll_books().unattributed, 1u);
    EXPECT_TRUE(s.registration(7).flags & REGISTRATION_SHARED);
    s.del(8).delivered(7, EPOLLIN);
    EXPECT_FALSE(s.registration(7).flags & REGISTRATION_SHARED);
    EXPECT_EQ(s.tables().stat(STAT_UNATTRIBUTED), 1u);
    EXPECT_EQ(s.tables().stat(STAT_EVENTS_UNKNOWN), 0u);
}

TEST(Ledger, CtlOnAnotherEpollIsNothingThatHappenedBetween)
{
    Scenario s;
    s.epoll(4).add(7, EPOLLIN, FILE_TCP).arrives(7, 10).delivered(7, EPOLLIN);
    s.epoll(5).mod(7, EPOLLIN, -ENOENT).del(7, -ENOENT);
    EXPECT_EQ(s.file(7).between, 0u);
    s.epoll(4).del(7, -ENOENT);
    EXPECT_EQ(s.file(7).between, uint16_t{BETWEEN_DEL_FAILED});
}

TEST(Ledger, DataChangedByModIsFound)
{
    Scenario s;  // libev, haproxy: a new generation at each ctl
    s.add_shared(7, EPOLLIN, FILE_TCP, 1);
    posting p = s.blank(POSTING_MOD, 7);
    p.mask = EPOLLIN;
    p.data = 2;
    s.post(p);
    posting event = s.blank(POSTING_DELIVERED);
    event.data = 2;
    event.mask = EPOLLIN;
    s.wait().post(event);
    s.returned(1);
    EXPECT_EQ(s.registration(7).deliveries, 1u);
    EXPECT_EQ(s.tables().indexes(), 1u);
}

TEST(Ledger, DeadIncumbentGivesWayToANewcomerWithItsData)
{
    Scenario s;  // closed without DEL through another process; the pointer was recycled
    s.add_shared(7, EPOLLIN, FILE_TCP, 99);
    s.tables().set_gone(s.key(7));
    s.add_shared(8, EPOLLIN, FILE_TCP, 99).delivered(8, EPOLLIN);
    EXPECT_EQ(s.registration(8).deliveries, 1u);
    EXPECT_EQ(s.tables().registrations(), 1u);
}

TEST(Ledger, RecycledFilePointerHasNoPast)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).read(7, 10).del(7);
    posting p = s.blank(POSTING_ADD, 7);
    p.mask = EPOLLIN;
    p.file_kind = FILE_UDP;
    p.ino = 4711;
    s.post(p);
    EXPECT_EQ(s.file(7).kind, FILE_UDP);
    EXPECT_EQ(s.file(7).reads, 0u);
}

// Eventfds, timerfds, signalfds and epolls share one inode: its number tells nothing.
TEST(Ledger, RecycledPointerOfAnAnonymousFileHasNoPast)
{
    Scenario s;
    s.process(100).epoll(4).add(7, EPOLLIN, FILE_EVENTFD).arrives(7, 1).read(7, 8);
    s.tables().set_gone(s.key(7));  // exit: no close is seen
    s.process(200).epoll(5).add(7, EPOLLIN, FILE_EVENTFD);
    EXPECT_EQ(s.file(7).tgid, 200u);
    EXPECT_EQ(s.file(7).reads, 0u);
    EXPECT_EQ(s.tables().registrations(), 1u);
    s.read(7, 8).del(7).process(300).add(7, EPOLLIN, FILE_EVENTFD);  // no registration was left
    EXPECT_EQ(s.file(7).tgid, 300u);
    EXPECT_EQ(s.file(7).reads, 0u);
}

TEST(Ledger, AnEventfdThatMovesToAnotherEpollKeepsItsPast)
{
    Scenario s;
    s.epoll(4).add(7, EPOLLIN, FILE_EVENTFD).arrives(7, 1).read(7, 8).epoll(5).add(7, EPOLLIN, FILE_EVENTFD);
    EXPECT_EQ(s.file(7).reads, 1u);
    s.del(7).add(7, EPOLLIN, FILE_EVENTFD);
    EXPECT_EQ(s.file(7).reads, 1u);
}

TEST(Ledger, ReadsAreCountedByTheirOutcome)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).arrives(7, 10).read(7, 4).read(7, -EAGAIN).read(7, 0).read(7, -EINTR).read(7, -512);
    const file_row& f = s.file(7);
    EXPECT_EQ(f.reads, 1u);
    EXPECT_EQ(f.bytes_in, 4u);
    EXPECT_EQ(f.read_eagain, 1u);
    EXPECT_EQ(f.eofs, 1u);
    EXPECT_EQ(f.flight_next, 4u);  // ADD and three reads: the interrupted ones did not happen
    EXPECT_NE(f.eof_at, 0u);
}

TEST(Ledger, ReadOfZeroBytesIsNoEndOfStream)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).read(7, 0, 0);
    EXPECT_EQ(s.file(7).eofs, 0u);
}

TEST(Ledger, EndOfStreamIsProgressOnce)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).read(7, 0);
    uint32_t moves = s.file(7).moves;
    s.read(7, 0).read(7, 0);
    EXPECT_EQ(s.file(7).moves, moves);
    EXPECT_EQ(s.file(7).eofs, 3u);
}

TEST(Ledger, LeftOverInputIsDated)
{
    Scenario s;
    s.add(7, kEdge, FILE_TCP).arrives(7, 10).at_ms(5).read(7, 4);
    EXPECT_EQ(s.file(7).left_at, s.now());
    EXPECT_EQ(s.file(7).unread, 6u);
    s.read(7, 6);
    EXPECT_EQ(s.file(7).left_at, 0u);
}

TEST(Ledger, CutOutputIsDatedUntilSomethingIsWritten)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).at_ms(5).write(7, 10, 100);
    EXPECT_EQ(s.file(7).out_cut_at, s.now());
    s.after_ms(5).write(7, -EAGAIN);
    EXPECT_EQ(s.file(7).out_cut_at, s.now());
    s.write(7, 90);
    EXPECT_EQ(s.file(7).out_cut_at, 0u);
    EXPECT_EQ(s.file(7).bytes_out, 100u);
    EXPECT_EQ(s.file(7).write_eagain, 1u);
}

TEST(Ledger, AcceptsAndTheAgeOfTheOldestConnection)
{
    Scenario s;
    s.add(3, kEdge, FILE_LISTENER).arrives(3, 3).at_ms(10).accept(3, 20);  // two wait
    uint64_t then = s.now();
    EXPECT_EQ(s.file(3).backlog_at, then);
    s.at_ms(20).arrives(3, 1).accept(3, 21);  // one of those two is still there
    EXPECT_EQ(s.file(3).backlog_at, then);
    s.at_ms(30).accept(3, 22);  // both are gone, the new one waits
    EXPECT_EQ(s.file(3).backlog_at, s.now());
    s.accept(3, 23);
    EXPECT_EQ(s.file(3).backlog_at, 0u);
    s.accept(3, -EAGAIN).accept(3, -EMFILE).accept(3, -ENFILE);
    EXPECT_EQ(s.file(3).accepts, 4u);
    EXPECT_EQ(s.file(3).accept_eagain, 1u);
    EXPECT_EQ(s.file(3).accept_errors, 2u);
}

TEST(Ledger, PeerClosedShutdownAndPeek)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).at_ms(5).peer_closes(7).peek(7, 4).shutdown_write(7);
    EXPECT_EQ(s.file(7).peer_closed_at, s.now());
    EXPECT_TRUE(s.file(7).flags & FILE_PEEKED);
    EXPECT_TRUE(s.file(7).flags & FILE_SHUT_WRITE);
    s.read(7, -EAGAIN);
    EXPECT_FALSE(s.file(7).flags & FILE_PEEKED);
}

TEST(Ledger, RdhupIsKnowledge)
{
    Scenario s;
    s.add(7, EPOLLRDHUP, FILE_TCP).peer_closes(7).delivered(7, EPOLLRDHUP);
    EXPECT_NE(s.file(7).eof_at, 0u);
    EXPECT_TRUE(s.file(7).flags & FILE_TOLD_RDHUP);
}

TEST(Ledger, NonblockFollowsFcntl)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    EXPECT_TRUE(s.file(7).flags & FILE_NONBLOCK);
    s.post(s.blank(POSTING_FCNTL, 7));
    EXPECT_FALSE(s.file(7).flags & FILE_NONBLOCK);
}

TEST(Ledger, HandoffAndUnwatchedWritesAreKeptPerThread)
{
    Scenario s;
    s.wait().at_ms(3).wakes_thread();
    EXPECT_EQ(s.tables().thread(100)->handoff_at, s.now());
    s.at_ms(4).writes_unwatched(33);
    EXPECT_EQ(s.tables().thread(100)->wrote_at, s.now());
    EXPECT_EQ(s.tables().thread(100)->wrote_file, s.file_id(33));
}

TEST(Ledger, ReusedThreadNumberHasNoPast)
{
    Scenario s;
    s.wait().wakes_thread().process(200).thread(100).wait();
    EXPECT_EQ(s.tables().thread(100)->tgid, 200u);
    EXPECT_EQ(s.tables().thread(100)->handoff_at, 0u);
}

}  // namespace
}  // namespace epaudit
