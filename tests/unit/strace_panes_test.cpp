// SPDX-License-Identifier: Apache-2.0
// Panes of a terminal, pasted side by side.
#include <fmt/format.h>

#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

constexpr size_t kWidth = 90;

std::string beside(const std::string& left, const std::string& right, const char* rule = "\u2502",
                   size_t width = kWidth)
{
    const std::vector<std::string> a = split(left), b = split(right);
    std::string all;
    for (size_t i = 0; i < std::max(a.size(), b.size()); i++)
        all += fmt::format("{:{}}{}{}\n", i < a.size() ? a[i].substr(0, width) : "", width, rule,
                           i < b.size() ? b[i].substr(0, width) : "");
    return all;
}

const std::string& top()
{
    static const std::string text = times(
        300, "  991 www-data  20   0  123456  45678   9876 R  99.9   1.2   1:23.45 server\n");
    return text;
}

TEST(Panes, TwoProgramsAreNotOne)
{
    for (const char* rule : {"\u2502", "\u2503", "|"}) {
        for (const std::string& both : {beside(times(150, kEndSpin), times(100, kWork), rule),
                                        beside(times(100, kWork), times(150, kEndSpin), rule)}) {
            const PastedAnswer judged = judge(both);
            EXPECT_GE(judged.level("EP203"), Level::kLikely) << rule << judged.told;
            EXPECT_FALSE(judged.mixed);
        }
        const PastedAnswer healthy = judge(beside(times(100, kWork), times(100, kWork), rule));
        EXPECT_TRUE(healthy.quiet()) << rule << healthy.told;
        EXPECT_FALSE(healthy.mixed);
        EXPECT_EQ(healthy.lost, 0U);
    }
}

TEST(Panes, SomethingElseBeside)
{
    for (const std::string& loop : {kEndSpin, kFull}) {
        EXPECT_FALSE(judge(beside(times(150, loop), top())).quiet());
        EXPECT_FALSE(judge(beside(top(), times(150, loop))).quiet());
        EXPECT_FALSE(judge(beside(times(150, loop), "$ ls\nserver.c\n$ \n")).quiet());
    }
    EXPECT_TRUE(judge(beside(times(100, kWork), top())).quiet());
    EXPECT_TRUE(judge(beside(top(), times(100, kWork))).quiet());
}

TEST(Panes, AThirdOne)
{
    const std::string two = beside(times(100, kWork), times(100, kWork));
    EXPECT_GE(judge(beside(two, times(150, kEndSpin), "\u2502", 2 * kWidth + 3)).level("EP203"), Level::kLikely);
}

TEST(Panes, ATableIsNone)
{
    for (const char* rule : {"\u2502", "|"}) {
        auto table = [&](const std::string& loop) {
            return lines_of(times(150, loop), [&](const std::string& line) {
                return fmt::format("{} 12:00:00.000001 {} host-17 {} {:90} {}", rule, rule, rule, line, rule);
            });
        };
        EXPECT_GE(judge(table(kEndSpin)).level("EP203"), Level::kLikely) << rule;
        const PastedAnswer healthy = judge(table(kWork));
        EXPECT_TRUE(healthy.quiet()) << healthy.told;
        EXPECT_EQ(healthy.lost, 0U);
    }
}

// A rule in what the program reads and writes.
TEST(Panes, WhatAProgramWritesIsNone)
{
    const std::string drawn =
        "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
        "read(31, \"q\", 2048) = 1\nwrite(1, \"          | a | b | c\", 21) = 21\n";
    const PastedAnswer healthy = judge(times(150, drawn));
    EXPECT_TRUE(healthy.quiet()) << healthy.told;
    EXPECT_EQ(healthy.lost, 0U);
}

}  // namespace
}  // namespace epaudit
