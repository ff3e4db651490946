// SPDX-License-Identifier: Apache-2.0
// A server with thousands of connections that hang is looked at several times a second: what a look costs grows with their
// number, and not with its square.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "rules/catalogue.h"
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
        Auditor auditor(Profile::kTest, make_rules());
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

std::unique_ptr<Rule> rule(const std::string& id)
{
    for (auto& one : make_rules())
        if (one->info().id == id)
            return std::move(one);
    return nullptr;
}

size_t said(Rule& rule, const Snapshot& books)
{
    std::vector<Finding> out;
    rule.audit(books, Settings(rule.info(), Profile::kTest), out);
    return out.size();
}

TEST(ManyStuck, OnlyWhatChangedIsWrittenAnew)
{
    auto drained = rule("EP101");
    Snapshot books = with_stuck(100);
    books.more_follow = true;
    EXPECT_EQ(said(*drained, books), 100u);
    books.time += NSEC_PER_SEC;
    EXPECT_EQ(said(*drained, books), 0u) << "all of it was said before";
    books.entries[7].state.unread++;
    EXPECT_EQ(said(*drained, books), 1u);
    Snapshot fewer = books;
    fewer.entries.erase(fewer.entries.begin() + 9);
    EXPECT_EQ(said(*drained, fewer), 0u);
    EXPECT_EQ(said(*drained, books), 1u) << "it had gone, and may have been taken back";
    books.more_follow = false;
    EXPECT_EQ(said(*drained, books), 100u) << "the last look has the numbers that are reported";
}

TEST(ManyStuck, TheReportHasTheNumbersOfTheLastLook)
{
    Snapshot books = with_stuck(3);
    books.more_follow = true;
    Auditor auditor(Profile::kTest, make_rules());
    auditor.look(books);
    const std::vector<Measure> first = auditor.findings().front().cost;
    books.time += 60 * NSEC_PER_SEC;
    auditor.look(books);
    books.more_follow = false;
    auditor.look(books);
    const std::vector<Measure> last = auditor.findings().front().cost;
    ASSERT_EQ(first.back().first, "stuck_s");
    EXPECT_NEAR(last.back().second - first.back().second, 60, 1e-6);
}

// In processor time of one look in a row of them. A look has 50 ms: so much and more of it is said the first time.
TEST(ManyStuck, ALookAtWhatIsKnownCostsAFractionOfTheFirst)
{
    Snapshot books = with_stuck(20000);
    books.more_follow = true;
    Auditor auditor(Profile::kTest, make_rules());
    auto cost = [&] {
        const clock_t then = clock();
        auditor.look(books);
        EXPECT_FALSE(auditor.findings().empty());
        books.time += NSEC_PER_SEC / 10;
        return static_cast<double>(clock() - then) / CLOCKS_PER_SEC;
    };
    const double first = cost();
    const double later = std::min({cost(), cost(), cost()});
    RecordProperty("first_ms", static_cast<int>(first * 1000));
    RecordProperty("later_ms", static_cast<int>(later * 1000));
    EXPECT_LT(later, first * 2 / 3) << "first " << first << " s, later " << later << " s";
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
