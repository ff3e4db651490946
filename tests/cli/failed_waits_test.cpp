// SPDX-License-Identifier: Apache-2.0
#include "src/session/failed_waits.h"

#include <gtest/gtest.h>

#include <functional>

namespace epaudit {
namespace {

constexpr uint64_t kEpoll = 1;
constexpr uint32_t kTid = 7;

// What the probes count while a program runs.
struct Watched {
    Snapshot books;

    Watched()
    {
        books.time = NSEC_PER_SEC;
        books.epolls[kEpoll].tgid = kTid;
        books.threads[kTid].tgid = kTid;
    }
    // Waits that bring something.
    void waits(uint64_t count)
    {
        books.epolls[kEpoll].waits += count;
        books.epolls[kEpoll].returns += count;
        books.threads[kTid].returns += static_cast<uint32_t>(count);
        books.stats[size_t{STAT_CALLS} + POSTING_RETURN] += count;
    }
    // maxevents 0
    void waits_for_none(uint64_t count)
    {
        books.epolls[kEpoll].waits += count;
        books.threads[kTid].returns += static_cast<uint32_t>(count);
        books.stats[size_t{STAT_CALLS} + POSTING_RETURN] += count;
    }
    // EBADF
    void waits_nowhere(uint64_t count) { books.stats[size_t{STAT_CALLS} + POSTING_RETURN] += count; }
};

std::optional<InconclusiveReason> after(Watched& w, const std::function<void()>& half_second, int times = 6)
{
    FailedWaits failed;
    failed.look(w.books, true);
    for (int i = 0; i < times; i++) {
        half_second();
        w.books.time += NSEC_PER_SEC / 2;
        failed.look(w.books, true);
    }
    return failed.reason();
}

TEST(FailedWaits, ADescriptorThatWasClosed)
{
    Watched w;
    w.waits(50);
    const auto reason = after(w, [&] { w.waits_nowhere(100'000); });
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->why, Inconclusive::kUnjudged);
    EXPECT_NE(reason->text.find("no epoll, or no more, failed 200000 times per s for 3.0 s"), std::string::npos)
        << reason->text;
}

TEST(FailedWaits, RoomForNoEvents)
{
    Watched w;
    const auto reason = after(w, [&] { w.waits_for_none(1000); });
    ASSERT_TRUE(reason);
    EXPECT_NE(reason->text.find("of pid 7 failed, as it does with maxevents 0 2000 times per s"), std::string::npos)
        << reason->text;
}

// Under a budget: the rows went as the probes were detached, and came back empty seconds later.
TEST(FailedWaits, AGapIsNoFailure)
{
    Watched w;
    FailedWaits failed;
    failed.look(w.books, true);
    for (int window = 0; window < 3; window++) {
        for (int i = 0; i < 4; i++) {
            w.waits(5000);
            w.books.time += NSEC_PER_SEC;
            failed.look(w.books, true);
        }
        w.books.epolls[kEpoll] = {};
        w.books.time += 6 * NSEC_PER_SEC;
        failed.begin_anew();
    }
    EXPECT_FALSE(failed.reason());
}

TEST(FailedWaits, WhatGoesWellIsNoFailure)
{
    Watched w;
    EXPECT_FALSE(after(w, [&] { w.waits(100'000); }));
}

TEST(FailedWaits, ThreadsThatWaitForLong)
{
    Watched w;
    EXPECT_FALSE(after(w, [&] { w.books.epolls[kEpoll].waits += 1; }));
}

TEST(FailedWaits, ForAMomentOrNowAndThen)
{
    Watched w;
    EXPECT_FALSE(after(
        w, [&] { w.waits_nowhere(100'000); }, 1));
    EXPECT_FALSE(after(w, [&] { w.waits_nowhere(10); }));
}

TEST(FailedWaits, CountersAndRowsAreNotReadAtOneMoment)
{
    Watched w;
    EXPECT_FALSE(after(w, [&] {
        w.waits(100'000);
        w.waits_nowhere(1000);
    }));
}

TEST(FailedWaits, AThreadThatEndsLeavesWhatItDidToItsEpoll)
{
    Watched w;
    uint32_t tid = 100;
    EXPECT_FALSE(after(w, [&] {
        w.waits(100'000);
        w.books.threads.erase(tid++);
        w.books.threads[tid].returns = 500;
    }));
}

// Each thread makes an epoll of its own, and ends soon after.
TEST(FailedWaits, AnEpollThatIsClosedTakesItsRowWithIt)
{
    Watched w;
    uint64_t id = 100;
    EXPECT_FALSE(after(w, [&] {
        w.books.epolls.erase(id++);
        w.books.epolls[id].waits = 500;
        w.books.stats[size_t{STAT_CALLS} + POSTING_CREATE]++;
        w.waits_nowhere(100'000);
    }));
    EXPECT_FALSE(after(w, [&] {  // no look sees any of them
        w.books.stats[size_t{STAT_CALLS} + POSTING_CREATE] += 2000;
        w.waits_nowhere(100'000);
    }));
    w.books.epolls[id].waits = 1'000'000;
    EXPECT_FALSE(after(
        w,
        [&] {
            w.books.epolls.erase(id);
            w.waits(100);
        },
        3));
}

TEST(FailedWaits, ProbesThatWereDetachedMeanwhile)
{
    Watched w;
    w.waits_nowhere(100'000);
    EXPECT_FALSE(after(
        w,
        [&] {
            w.books.stats[size_t{STAT_CALLS} + POSTING_RETURN] = 0;
            w.books.epolls.clear();
            w.books.threads.clear();
        },
        2));
}

}  // namespace
}  // namespace epaudit
