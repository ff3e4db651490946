// SPDX-License-Identifier: Apache-2.0
// What both programs of a pair missed.
#include "src/capture/live_twins.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

TEST(Twins, WhatTheyStoodInForIsNotMissed)
{
    EXPECT_EQ(stood_in_between({}, {9, 9, 0}), 9u);
    EXPECT_EQ(missed_between({}, {9, 9, 0}), 0u);
    EXPECT_EQ(missed_between({}, {9, 7, 0}), 2u);
}

// While hooks are put on, twins stand in for firsts that are not on yet.
TEST(Twins, WhatWasBeforeDoesNotCount)
{
    EXPECT_EQ(stood_in_between({1, 50, 3}, {4, 52, 3}), 2u);
    EXPECT_EQ(missed_between({1, 50, 3}, {4, 52, 3}), 1u);
}

TEST(Twins, AMarkThatWasNotLeftMakesATwinStandInForNothing)
{
    EXPECT_EQ(stood_in_between({0, 50, 0}, {3, 55, 2}), 3u);
    EXPECT_EQ(missed_between({0, 50, 0}, {3, 55, 2}), 0u);
}

// Neither of the pair got a mark: on 6.12 for real time four such runs made a count of 2^64 - 4, which hid what was missed.
TEST(Twins, MoreMarksNotLeftThanTwinsThatStoodIn)
{
    EXPECT_EQ(stood_in_between({0, 50, 0}, {0, 50, 4}), 0u);
    EXPECT_EQ(missed_between({0, 50, 0}, {0, 50, 4}), 0u);
    EXPECT_EQ(missed_between({0, 50, 0}, {3, 51, 4}), 3u);
}

}  // namespace
}  // namespace epaudit
