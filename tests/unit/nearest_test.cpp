// SPDX-License-Identifier: Apache-2.0
#include "src/support/nearest.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

const std::vector<std::string> kNames = {"EP201", "busy-epollout", "EP202", "unread-spin", "EP203", "eof-spin"};

TEST(Nearest, SmallestDistance)
{
    EXPECT_EQ(nearest("busy-epolout", kNames), "busy-epollout");
    EXPECT_EQ(nearest("ep203", kNames), "EP203");
    EXPECT_EQ(nearest("eof-spam", kNames), "eof-spin");
}

TEST(Nearest, NothingClose) { EXPECT_EQ(nearest("thundering-herd", kNames), ""); }

TEST(Nearest, PartOfOneOnly)
{
    EXPECT_EQ(nearest("busy", kNames), "busy-epollout");
    EXPECT_EQ(nearest("-spin", kNames), "") << "two have it";
    EXPECT_EQ(nearest("bu", kNames), "") << "two letters say nothing";
}

TEST(Nearest, Hint)
{
    EXPECT_EQ(did_you_mean("unread", kNames, "no idea"), "did you mean 'unread-spin'?");
    EXPECT_EQ(did_you_mean("write-stalled", kNames, "no idea"), "no idea");
}

}  // namespace
}  // namespace epaudit
