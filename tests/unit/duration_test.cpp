// SPDX-License-Identifier: Apache-2.0
#include "src/books/duration.h"

#include <gtest/gtest.h>

#include <cmath>

namespace epaudit {
namespace {

TEST(Duration, HasTheUnitThatSuitsIt)
{
    EXPECT_EQ(duration_text(3'000), "3 us");
    EXPECT_EQ(duration_text(350'000'000), "350 ms");
    EXPECT_EQ(duration_text(1'234'000'000), "1.2 s");
    EXPECT_EQ(seconds_text(0.25), "250 ms");
    EXPECT_EQ(seconds_text(119.5), "119.5 s");
    EXPECT_EQ(seconds_text(600), "10 min 0 s");
    EXPECT_EQ(seconds_text(8000), "2 h 13 min");
    EXPECT_EQ(seconds_text(700'000), "8 d 2 h");
}

TEST(Duration, OfNothingIsInSeconds)
{
    EXPECT_EQ(seconds_text(0), "0.0 s");
    EXPECT_EQ(seconds_text(-1), "-1.0 s");
    EXPECT_EQ(seconds_text(std::nan("")), "nan s");
}

}  // namespace
}  // namespace epaudit
