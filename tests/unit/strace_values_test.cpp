// SPDX-License-Identifier: Apache-2.0
// Values as strace prints them.
#include "src/strace/values.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

// A program of one path has one name in findings and suppressions, however strace was told to spell it.
TEST(StraceValues, AStringIsItsBytesHoweverItIsSpelt)
{
    const std::string cafe = "/srv/caf\xc3\xa9/server";
    EXPECT_EQ(printed_bytes("/srv/caf\\303\\251/server"), cafe);  // by default
    EXPECT_EQ(printed_bytes("/srv/caf\\xc3\\xa9/server"), cafe);  // strace -x
    EXPECT_EQ(printed_bytes("\\x2f\\x73\\x72\\x76"), "/srv");     // strace -xx
    EXPECT_EQ(printed_bytes("/srv/plain"), "/srv/plain");
}

TEST(StraceValues, ShortOctalEndsWhereItsDigitsEnd)
{
    EXPECT_EQ(printed_bytes("a\\1b\\0019"), std::string("a\x01"
                                                        "b\x01"
                                                        "9"));
}

TEST(StraceValues, QuotesAndLettersAreWhatCMeansByThem)
{
    EXPECT_EQ(printed_bytes("a\\\"b\\\\c\\td\\n"), "a\"b\\c\td\n");
    EXPECT_EQ(printed_bytes("cut\\"), "cut\\");
    EXPECT_EQ(printed_bytes("cut\\x"), "cut");
}

}  // namespace
}  // namespace epaudit
