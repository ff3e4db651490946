// SPDX-License-Identifier: Apache-2.0
// The mask that a finding names is what the program gave.
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

std::string fact(const Finding& finding, const std::string& name)
{
    for (const auto& [known, text] : finding.facts) {
        if (known == name)
            return text;
    }
    return "none";
}

TEST(Mask, FromBeforeAttachItIsWithoutWhatTheKernelAdds)
{
    Scenario s;
    s.seeded(7, EPOLLIN | EPOLLERR | EPOLLHUP, FILE_TCP).arrives(7, 5).spin(7, EPOLLIN, 3000, 500);
    ASSERT_EQ(s.alarms(), "EP202 confirmed");
    EXPECT_EQ(fact(s.finding("EP202"), "mask"), "EPOLLIN");
}

TEST(Mask, OfASpinThatIsOverItIsTheOneItSpunWith)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLOUT, FILE_TCP).spin(7, EPOLLOUT, 3000, 500).mod(7, EPOLLIN).wait().after_ms(500);
    ASSERT_EQ(s.verdict("EP201"), "confirmed");
    EXPECT_EQ(fact(s.finding("EP201"), "mask"), "EPOLLIN|EPOLLOUT");
    EXPECT_NE(fact(s.finding("EP201"), "run").find("(ended)"), std::string::npos);
}

}  // namespace
}  // namespace epaudit
