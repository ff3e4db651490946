// SPDX-License-Identifier: Apache-2.0
#include "src/session/pace.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

constexpr uint64_t kMs = NSEC_PER_MSEC, kBegin = 5000 * kMs;

TEST(Pace, OnceASecondUnlessSomethingIsSuspicious)
{
    Pace pace;
    pace.begin(kBegin);
    EXPECT_FALSE(pace.due(kBegin + 900 * kMs, false, Profile::kProduction));
    EXPECT_TRUE(pace.due(kBegin + 950 * kMs, false, Profile::kProduction)) << "the next tick would be too late";
    EXPECT_TRUE(pace.due(kBegin + 100 * kMs, true, Profile::kProduction));
    pace.looked(kBegin, true, 0);
    EXPECT_TRUE(pace.due(kBegin + 100 * kMs, false, Profile::kProduction)) << "the last look saw something lively";
    EXPECT_FALSE(pace.due(kBegin - kMs, false, Profile::kProduction)) << "asked with a time from before the look";
}

// 100,000 descriptors on which nothing happens: 30 ms a look.
TEST(Pace, NothingToSeeIsLookedAtForHalfAPercent)
{
    Pace pace;
    pace.looked(kBegin, false, 30 * kMs);
    pace.looked(kBegin, false, 30 * kMs);
    EXPECT_FALSE(pace.due(kBegin + 5900 * kMs, false, Profile::kProduction));
    EXPECT_TRUE(pace.due(kBegin + 6000 * kMs, false, Profile::kProduction));
    EXPECT_TRUE(pace.due(kBegin + 1800 * kMs, true, Profile::kProduction)) << "the probes have seen something";
    pace.looked(kBegin, true, 30 * kMs);
    EXPECT_TRUE(pace.due(kBegin + 1800 * kMs, false, Profile::kProduction)) << "the last look has";
}

TEST(Pace, LooksThatCostMuchComeLater)
{
    Pace pace;
    pace.looked(kBegin, true, 100 * kMs);
    pace.looked(kBegin, true, 900 * kMs);
    EXPECT_FALSE(pace.due(kBegin + 5900 * kMs, true, Profile::kProduction)) << "60 times the cheaper of two";
    EXPECT_TRUE(pace.due(kBegin + 6000 * kMs, true, Profile::kProduction));
    EXPECT_FALSE(pace.due(kBegin + 400 * kMs, true, Profile::kTest));
    EXPECT_TRUE(pace.due(kBegin + 500 * kMs, true, Profile::kTest));
    pace.looked(kBegin, true, 900 * kMs);
    EXPECT_TRUE(pace.due(kBegin + 54'000 * kMs, false, Profile::kProduction));
    EXPECT_TRUE(pace.due(kBegin + 1000 * kMs, false, Profile::kTest));
}

// A million descriptors: a look takes seconds, and nothing is suspicious.
TEST(Pace, NoLookIsPutOffForLong)
{
    Pace pace;
    pace.looked(kBegin, false, 3500 * kMs);
    pace.looked(kBegin, false, 3500 * kMs);
    EXPECT_FALSE(pace.due(kBegin + 119'000 * kMs, false, Profile::kProduction));
    EXPECT_TRUE(pace.due(kBegin + 120'000 * kMs, false, Profile::kProduction));
}

}  // namespace
}  // namespace epaudit
