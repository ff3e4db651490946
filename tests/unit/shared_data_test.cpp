// SPDX-License-Identifier: Apache-2.0
// Events whose data is that of several registrations, told once: EP101 under EPOLLET, EP104 under EPOLLONESHOT.
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint64_t kData = 77;
constexpr uint32_t kOnce = EPOLLIN | EPOLLONESHOT;

struct Loop {
    Scenario s;
    Auditor auditor{Profile::kTest, make_rules()};

    Loop& connections(int last, uint32_t mask, uint64_t step = 0)
    {
        for (int fd = 10; fd <= last; fd++)
            s.add_shared(fd, mask, FILE_TCP, kData + step * static_cast<uint64_t>(fd));
        s.wait(500);
        return *this;
    }

    // Input comes, and is reported under that data: the program takes it for fd 9, which has nothing.
    Loop& told(int last)
    {
        for (int fd = 10; fd <= last; fd++) {
            s.arrives(fd, 40);
            s.tables().set_ready(s.key(fd), false);
            posting event = s.blank(POSTING_DELIVERED);
            event.data = kData;
            event.mask = EPOLLIN;
            s.post(event);
            s.returned(1).wait(500);
        }
        return *this;
    }

    // As the kernel has it: what was reported once has no mask any more.
    Loop& passes(unsigned looks, bool disarmed = false)
    {
        while (looks--) {
            s.after_ms(500).returned(0).wait(500);
            Snapshot books = s.snapshot();
            for (Entry& entry : books.entries)
                if (disarmed)
                    entry.live_mask &= EPOLLONESHOT | EPOLLET;
            auditor.look(books);
        }
        return *this;
    }

    std::string verdict(const std::string& rule) const
    {
        for (const Finding& finding : auditor.findings())
            if (finding.rule == rule)
                return level_name(finding.level);
        return "none";
    }
};

TEST(SharedData, EdgesThatNobodyFollowed)
{
    Loop loop;
    loop.connections(12, kEdge).told(12);
    ASSERT_GT(loop.s.epoll_books().unattributed, 0U);
    EXPECT_EQ(loop.passes(1).verdict("EP101"), "none");
    EXPECT_EQ(loop.passes(6).verdict("EP101"), "likely");
}

TEST(SharedData, TwoMayBeChance)
{
    EXPECT_EQ(Loop().connections(11, kEdge).told(11).passes(8).verdict("EP101"), "none");
}

TEST(SharedData, DataOfItsOwnIsNot)
{
    EXPECT_EQ(Loop().connections(12, kEdge, 1).told(12).passes(8).verdict("EP101"), "none");
}

// It looks at all of them whenever it is woken.
TEST(SharedData, ThoseThatWereReadAreNot)
{
    Loop loop;
    loop.connections(12, kEdge).told(12);
    for (int fd = 10; fd <= 12; fd++)
        loop.s.read(fd, 10);
    EXPECT_EQ(loop.passes(8).verdict("EP101"), "none");
}

TEST(SharedData, AOneshotThatFiredForAnother)
{
    Loop loop;
    loop.connections(11, kOnce).told(11).passes(6, true);
    EXPECT_EQ(loop.verdict("EP104"), "likely");
    EXPECT_EQ(loop.auditor.findings().at(0).shape, "data shared by several registrations");
}

TEST(SharedData, AOneshotThatIsArmedIsNot)
{
    EXPECT_EQ(Loop().connections(11, kOnce).told(11).passes(6).verdict("EP104"), "none");
}

TEST(SharedData, AOneshotHandedOnIsARisk)
{
    Loop loop;
    loop.connections(11, kOnce).told(11).s.wakes_thread();
    EXPECT_EQ(loop.passes(6, true).verdict("EP104"), "risk");
}

}  // namespace
}  // namespace epaudit
