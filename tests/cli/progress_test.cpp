// SPDX-License-Identifier: Apache-2.0
#include "src/session/progress.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

TEST(Progress, SaysWhatWatchingCosts)
{
    ProgressFacts facts{12.34, 45210, 37, 1, {}, false};
    EXPECT_EQ(progress_text(facts), "12.3 s  45,210 events/s  37 registrations  1 finding");
    facts.cost = WatchingCost{0.03, 0.01, 0.5, 1};
    EXPECT_EQ(progress_text(facts),
              "12.3 s  45,210 events/s  37 registrations  1 finding  costs 8.0 % of what is watched");
}

TEST(Progress, OfWhatIsIdleTheCostIsThatOfACore)
{
    EXPECT_EQ(progress_text({1, 0, 1, 0, WatchingCost{0.001, 0.002, 0.003, 1}, false}),
              "1.0 s  0 events/s  1 registration  0 findings  costs 0.3 % of a core");
}

TEST(Progress, SaysWhenNothingIsSeen)
{
    EXPECT_EQ(progress_text({1, 0, 1, 0, {}, true}),
              "1.0 s  0 events/s  1 registration  0 findings  not watching now: budget");
}

}  // namespace
}  // namespace epaudit
