// SPDX-License-Identifier: Apache-2.0
#include "src/audit/historian.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

constexpr uint64_t kBegan = 1000 * NSEC_PER_SEC;

Snapshot at_second(double seconds)
{
    Snapshot books;
    books.began = kBegan;
    books.time = kBegan + static_cast<uint64_t>(seconds * 1e9);
    return books;
}

epoll_row loop_of(uint32_t tgid, uint64_t returns, uint64_t futile)
{
    epoll_row row{};
    row.tgid = tgid;
    row.fd = 4;
    row.created_at = kBegan;
    row.returns = returns;
    row.futile_returns = futile;
    return row;
}

TEST(History, SamplesAreWhatCameBetweenTwoLooks)
{
    Historian historian;
    Snapshot books = at_second(1);
    books.epolls[1] = loop_of(7, 100, 10);
    historian.look(books);
    books = at_second(3);
    books.epolls[1] = loop_of(7, 150, 60);
    books.epolls[2] = loop_of(7, 5, 0);
    historian.look(books);
    const History history = historian.history();
    ASSERT_EQ(history.samples.size(), 2U);
    EXPECT_EQ(history.samples[0].returns, 100U);
    EXPECT_EQ(history.samples[1].returns, 55U);
    EXPECT_EQ(history.samples[1].futile, 50U);
    EXPECT_DOUBLE_EQ(history.samples[1].seconds, 2);
    EXPECT_DOUBLE_EQ(history.samples[1].t, 3);
}

TEST(History, ADeadLoopIsStillTold)
{
    Historian historian;
    Snapshot books = at_second(1);
    books.processes[7] = {7, "server", "/bin/server", RunState::kAlive};
    books.epolls[1] = loop_of(7, 100, 10);
    historian.look(books);
    historian.look(at_second(2));
    const History history = historian.history();
    ASSERT_EQ(history.loops.size(), 1U);
    EXPECT_EQ(history.loops[0].comm, "server");
    EXPECT_EQ(history.samples[1].returns, 0U);
}

TEST(History, AReusedAddressIsAnotherLoop)
{
    Historian historian;
    Snapshot books = at_second(1);
    books.epolls[1] = loop_of(7, 100, 0);
    historian.look(books);
    books = at_second(2);
    books.epolls[1] = loop_of(7, 3, 0);
    books.epolls[1].created_at = kBegan + NSEC_PER_SEC;
    historian.look(books);
    EXPECT_EQ(historian.history().samples[1].returns, 3U);
}

TEST(History, WeeksFitInBoundedMemoryAndNothingIsLost)
{
    Historian historian;
    for (int second = 1; second <= 100000; second++) {
        Snapshot books = at_second(second);
        books.epolls[1] = loop_of(7, static_cast<uint64_t>(second) * 3, 0);
        books.epolls[1000 + static_cast<uint64_t>(second)] = loop_of(8, 1, 0);
        thread_row thread{};
        thread.wait_at = books.time - 1000;
        thread.waiting = 1;
        thread.epoll = 1;
        books.threads[7] = thread;
        historian.look(books);
    }
    const History history = historian.history();
    EXPECT_LE(history.samples.size(), 240U);
    EXPECT_LE(history.loops.size(), 16U);
    EXPECT_LE(history.waits.size(), 4096U);
    uint64_t returns = 0;
    double seconds = 0;
    for (const RateSample& sample : history.samples) {
        returns += sample.returns;
        seconds += sample.seconds;
    }
    EXPECT_EQ(returns, 400000U);
    EXPECT_NEAR(seconds, 100000, 1e-3);
}

TEST(History, AWaitGrowsUntilItEnds)
{
    Historian historian;
    for (double second : {1.0, 2.0, 3.0}) {
        Snapshot books = at_second(second);
        books.epolls[1] = loop_of(7, 1, 0);
        thread_row thread{};
        thread.tgid = 7;
        thread.epoll = 1;
        thread.wait_at = kBegan + NSEC_PER_SEC / 2;
        thread.waiting = second < 3;
        thread.return_at = second < 3 ? 0 : kBegan + 5 * NSEC_PER_SEC / 2;
        books.threads[7] = thread;
        historian.look(books);
    }
    const History history = historian.history();
    ASSERT_EQ(history.waits.size(), 1U);
    EXPECT_DOUBLE_EQ(history.waits[0].begin, 0.5);
    EXPECT_DOUBLE_EQ(history.waits[0].end, 2.5);
    EXPECT_TRUE(history.waits[0].ended);
    EXPECT_EQ(history.waits[0].epoll_fd, 4);
}

}  // namespace
}  // namespace epaudit
