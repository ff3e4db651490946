// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

// `times` writes of one byte by `writer`, each read by process 100.
Scenario& woken(Scenario& s, unsigned times, uint32_t writer, uint32_t bytes = 1)
{
    s.process(100).add(7, EPOLLIN, FILE_PIPE).wait();
    for (unsigned i = 0; i < times; i++) {
        s.process(writer).after_ms(2).arrives(7, bytes).ready(7);
        s.process(100).delivered(7, EPOLLIN).read(7, bytes).read(7, -EAGAIN).wait();
    }
    return s.after_ms(300);
}

TEST(SelfPipeWakeup, OwnThreadWritesTokens)
{
    Scenario s;
    woken(s, 200, 100);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP604"), "info");
    EXPECT_EQ(s.finding("EP604").fd.kind, "pipe");
}

TEST(SelfPipeWakeup, ProductionWantsToSeeMore)
{
    Scenario s(Profile::kProduction);
    woken(s, 200, 100);
    EXPECT_EQ(s.verdict("EP604"), "none");
    Scenario longer(Profile::kProduction);
    woken(longer, 1200, 100);
    EXPECT_EQ(longer.verdict("EP604"), "info");
}

TEST(SelfPipeWakeup, AnotherProcessWrites)
{
    Scenario s;
    woken(s, 200, 300);
    EXPECT_EQ(s.verdict("EP604"), "none");
}

TEST(SelfPipeWakeup, Messages)
{
    Scenario s;
    woken(s, 200, 100, 8);
    EXPECT_EQ(s.verdict("EP604"), "none");
}

TEST(SelfPipeWakeup, FewWakeUps)
{
    Scenario s;
    woken(s, 20, 100);
    EXPECT_EQ(s.verdict("EP604"), "none");
}

TEST(SelfPipeWakeup, EventfdAndSocketPair)
{
    for (uint8_t kind : {FILE_EVENTFD, FILE_UNIX}) {
        Scenario s;
        s.add(7, EPOLLIN, kind).wait();
        for (int i = 0; i < 200; i++)
            s.after_ms(2).arrives(7, 1).ready(7).delivered(7, EPOLLIN).read(7, 1).wait();
        s.after_ms(300);
        EXPECT_EQ(s.verdict("EP604"), "none");
    }
}

}  // namespace
}  // namespace epaudit
