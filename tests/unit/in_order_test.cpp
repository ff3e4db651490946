// SPDX-License-Identifier: Apache-2.0
// Whatever the order in which it is asked, it answers as a map does.
#include "rules/in_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace epaudit {
namespace {

struct Noted {
    int key = 0;  // of what was noted last
    int audit = 0;
};
using Kept = InOrder<int, Noted, std::hash<int>>;

void expect_same(Kept& kept, std::map<int, Noted>& as_map, const std::vector<int>& asked, int audit)
{
    kept.begin();
    for (int key : asked) {
        Noted& one = kept[key];
        Noted& other = as_map[key];
        ASSERT_EQ(std::pair(one.key, one.audit), std::pair(other.key, other.audit)) << key << " at audit " << audit;
        one = other = {key, audit};
    }
    ASSERT_EQ(kept.size(), as_map.size());
}

TEST(InOrder, AnswersAsAMapDoes)
{
    std::mt19937 random(1);
    for (int round = 0; round < 50; round++) {
        Kept kept;
        std::map<int, Noted> as_map;
        std::vector<int> asked;
        for (int audit = 1; audit < 40; audit++) {
            for (unsigned more = random() % 8; more > 0; more--)  // they come anywhere,
                asked.insert(asked.begin() + static_cast<std::ptrdiff_t>(random() % (asked.size() + 1)),
                             static_cast<int>(random() % 100));
            for (unsigned fewer = random() % 6; fewer > 0 && !asked.empty(); fewer--)  // go anywhere,
                asked.erase(asked.begin() + static_cast<std::ptrdiff_t>(random() % asked.size()));
            if (random() % 10 == 0)  // and a table that grows puts all of them elsewhere
                std::shuffle(asked.begin(), asked.end(), random);
            expect_same(kept, as_map, asked, audit);
            if (random() % 4)
                continue;
            kept.erase_if([audit](const Noted& one) { return one.audit < audit - 2; });
            std::erase_if(as_map, [audit](const auto& one) { return one.second.audit < audit - 2; });
            ASSERT_EQ(kept.size(), as_map.size());
        }
    }
}

}  // namespace
}  // namespace epaudit
