// SPDX-License-Identifier: Apache-2.0
#include "src/session/unjudged.h"

#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr int kFd = 7;

std::optional<InconclusiveReason> after(Scenario& s, const char* leads_to, const std::function<void()>& second,
                                        int seconds = 3)
{
    Unjudged unjudged([&](uint32_t, int) { return std::string(leads_to); });
    for (int i = 0; i < seconds; i++) {
        unjudged.look(s.snapshot());
        second();
    }
    unjudged.look(s.snapshot());
    return unjudged.reason();
}

TEST(Unjudged, AQueueThatIsReportedAndNotRead)
{
    Scenario s;
    s.add(kFd, EPOLLIN, FILE_OTHER);
    const auto reason = after(s, "/jobs", [&] { s.spin(kFd, EPOLLIN, 2000, 500); });
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->why, Inconclusive::kUnjudged);
    EXPECT_NE(reason->text.find("fd 7 of pid "), std::string::npos) << reason->text;
    // It is looked at from its first thousand reports on, and these took the first of three seconds.
    EXPECT_NE(reason->text.find("(/jobs) was reported 2000 times per s for 2.0 s"), std::string::npos) << reason->text;
}

TEST(Unjudged, RingsInSharedMemoryAreReadWithoutACall)
{
    Scenario s;
    s.add(kFd, EPOLLIN, FILE_OTHER);
    EXPECT_FALSE(after(s, "anon_inode:[io_uring]", [&] { s.spin(kFd, EPOLLIN, 2000, 500); }));
}

TEST(Unjudged, ADeviceThatIsRead)
{
    Scenario s;
    s.add(kFd, EPOLLIN, FILE_OTHER);
    EXPECT_FALSE(
        after(s, "/dev/net/tun", [&] { s.spin(kFd, EPOLLIN, 2000, 500, [](Scenario& t) { t.read(kFd, 100); }); }));
}

TEST(Unjudged, SeldomOrForAMoment)
{
    Scenario s;
    s.add(kFd, EPOLLIN, FILE_OTHER);
    EXPECT_FALSE(after(s, "/jobs", [&] { s.spin(kFd, EPOLLIN, 500, 2000); })) << "500 per s";
    EXPECT_FALSE(after(
        s, "/jobs", [&] { s.spin(kFd, EPOLLIN, 1000, 500); }, 1))
        << "half a second";
}

TEST(Unjudged, KindsThatAreKnownAreForTheRules)
{
    Scenario s;
    s.add(kFd, EPOLLIN, FILE_EVENTFD);
    EXPECT_FALSE(after(s, "/jobs", [&] { s.spin(kFd, EPOLLIN, 2000, 500); }));
}

}  // namespace
}  // namespace epaudit
