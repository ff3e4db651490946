// SPDX-License-Identifier: Apache-2.0
#include "src/support/errno_names.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace epaudit {
namespace {

TEST(ErrnoNames, ThereAndBack)
{
    for (int number = 1; number < 134; number++) {
        if (!errno_name(number).empty()) {
            EXPECT_EQ(errno_by_name(errno_name(number)), number) << errno_name(number);
        }
    }
    EXPECT_EQ(errno_name(EAGAIN), "EAGAIN");
    EXPECT_EQ(errno_name(ENOTSUP), "EOPNOTSUPP");
    EXPECT_EQ(errno_by_name("EOWNERDEAD"), EOWNERDEAD);  // one that no list by hand had
}

TEST(ErrnoNames, WhatHasSeveralNamesIsKnownByEach)
{
    EXPECT_EQ(errno_by_name("EWOULDBLOCK"), EAGAIN);
    EXPECT_EQ(errno_by_name("ENOTSUP"), EOPNOTSUPP);
    EXPECT_EQ(errno_by_name("ERESTARTSYS"), 512);
}

TEST(ErrnoNames, WhatIsNoneHasNoName)
{
    EXPECT_EQ(errno_name(0), "");
    EXPECT_EQ(errno_name(-11), "");
    EXPECT_EQ(errno_name(999), "");
    EXPECT_EQ(errno_by_name(""), 0);
    EXPECT_EQ(errno_by_name("EWHATEVER"), 0);
}

}  // namespace
}  // namespace epaudit
