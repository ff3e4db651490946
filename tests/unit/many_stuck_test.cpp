// SPDX-License-Identifier: Apache-2.0
// A server with thousands of connections that hang is looked at several times a second: what a look costs grows with their
// number, and not with its square.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

// The same connection so many times, read short and left.
Snapshot with_stuck(size_t count)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLRDHUP | EPOLLET, FILE_TCP);
    s.after_ms(350).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4, 4).wait().after_ms(4000);
    Snapshot books = s.snapshot();
    EXPECT_EQ(books.entries.size(), 1u);
    const Entry one = books.entries.front();
    for (size_t i = 1; i < count; i++) {
        Entry& another = books.entries.emplace_back(one);
        another.file_id += i << 12;
        another.key.file = another.file_id;
        another.key.fd += static_cast<int32_t>(i);
    }
    return books;
}

// CPU seconds of a look, at best.
double cost_of_a_look(const Snapshot& books)
{
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i < 3; i++) {
        Auditor auditor(Profile::kTest);
        const clock_t then = clock();
        auditor.look(books);
        best = std::min(best, static_cast<double>(clock() - then) / CLOCKS_PER_SEC);
        EXPECT_FALSE(auditor.findings().empty());
    }
    return best;
}

TEST(ManyStuck, ALookCostsWhatTheyAreAndNotItsSquare)
{
    const double few = cost_of_a_look(with_stuck(2500));
    const double many = cost_of_a_look(with_stuck(20000));
    EXPECT_LT(many, 24 * few) << "eight times as many: " << few << " s, then " << many << " s";
}

// What was found of a snapshot is not that of its copy.
TEST(ManyStuck, ACopyHasNeighboursOfItsOwn)
{
    const Snapshot books = with_stuck(2);
    EXPECT_FALSE(books.neighbours().output_pending_in(books.entries[0].file.tgid));
    Snapshot copy = books;
    copy.entries[1].file.out_cut_at = copy.time;
    copy.entries[1].state.flags &= ~STATE_WRITABLE;
    EXPECT_TRUE(copy.neighbours().output_pending_in(copy.entries[0].file.tgid));
    EXPECT_EQ(copy.of_file(copy.entries[1].file_id).size(), 1u);
}

}  // namespace
}  // namespace epaudit
