// SPDX-License-Identifier: Apache-2.0
// A log stands in something: a report's prose, the program's own output, a document.
#include <fmt/format.h>

#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

std::string prose(unsigned lines)
{
    std::string all;
    for (unsigned i = 0; i < lines; i++)
        all += fmt::format("We have a problem with our server since version 1.{} of it (see above)\n", i);
    return all;
}

// How each line is carried, with what comes before the log or without.
const std::vector<std::pair<const char*, Decorate>>& carriers()
{
    static const std::vector<std::pair<const char*, Decorate>> all = {
        {"docker",
         [](const std::string& line, unsigned n) { return fmt::format("2024-05-01T10:00:00.{:09}Z {}", n, line); }},
        {"journal", [](const std::string& line, unsigned) { return "May 01 10:00:00 web1 svc[991]: " + line; }},
        {"grep -n", [](const std::string& line, unsigned n) { return fmt::format("{}:{}", n, line); }},
        {"a comment", [](const std::string& line, unsigned) { return "# " + line; }},
        {"a table", [](const std::string& line, unsigned) { return "| " + line + " |"; }},
        {"cat -A", [](const std::string& line, unsigned) { return line + "$"; }},
        {"JSON", [](const std::string& line,
                    unsigned) { return "{\"log\": \"" + escaped(line) + "\\n\", \"stream\": \"stderr\"}"; }},
    };
    return all;
}

// 64 lines of something else, and every prefix was lost.
TEST(Surroundings, AsMuchMayStandBeforeTheLogAsThereIs)
{
    for (const auto& [name, carry] : carriers())
        for (unsigned before : {70U, 150U, 6000U}) {
            std::string all = prose(before), bare = prose(before);
            for (const std::string& line : split(times(150, kEndSpin)))
                bare += carry(line, 7) + "\n";
            for (const std::string& text : {judge(all + times(150, kEndSpin), carry).told, judge(bare).told})
                EXPECT_NE(text.find("EP203"), std::string::npos) << name << " behind " << before << "\n" << text;
        }
}

TEST(Surroundings, AHealthyLogBehindProseStaysHealthy)
{
    for (const auto& [name, carry] : carriers())
        for (unsigned before : {70U, 6000U}) {
            const PastedAnswer judged = judge(prose(before) + times(150, kWork), carry);
            EXPECT_TRUE(judged.quiet()) << name << "\n" << judged.told;
            EXPECT_EQ(judged.lost, 0U) << name;
        }
}

// The program's start fills the first lines, and only epoll's calls show what Markdown did.
TEST(Surroundings, WhatOnlyLaterLinesShowIsLearnt)
{
    std::string log;
    for (unsigned i = 0; i < 90; i++)
        log += fmt::format("brk(NULL) = {:#x}\n", 0x55000 + i);
    std::string loop = kEndSpin;
    for (size_t at = 0; (at = loop.find_first_of("_{[", at)) != std::string::npos; at += 2)
        loop.insert(at, "\\");
    const PastedAnswer judged = judge(log + times(150, loop));
    EXPECT_GE(judged.level("EP203"), Level::kLikely) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
}

// A start of thousands of calls, as runtimes have it, is more than is held.
TEST(Surroundings, ALongStartOfTheProgramIsNoSampleOfItsLoop)
{
    std::string log;
    for (unsigned i = 0; i < 5000; i++)
        log += fmt::format("brk(NULL) = {:#x}\n", 0x55000 + i);
    for (const auto& [name, carry] : carriers()) {
        std::string text = log;
        for (const std::string& line : split(times(150, kEndSpin)))
            text += carry(line, 7) + "\n";
        EXPECT_NE(judge(text).told.find("EP203"), std::string::npos) << name;
    }
}

// A report that shows the program as well.
TEST(Surroundings, TheSourceOfTheProgramIsNoLogOfIt)
{
    const std::string source =
        "    int n = epoll_wait(epfd, events, 64, -1);\n    epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);\n";
    for (const auto& [name, carry] : carriers()) {
        std::string text = times(60, source);
        for (const std::string& line : split(times(150, kEndSpin)))
            text += carry(line, 7) + "\n";
        EXPECT_NE(judge(text).told.find("EP203"), std::string::npos) << name;
    }
}

// The beginning was pasted as it was, the rest as a table.
TEST(Surroundings, TheBeginningMayHaveComeAnotherWay)
{
    std::string log;
    for (unsigned i = 0; i < 90; i++)
        log += fmt::format("openat(AT_FDCWD, \"/lib/x{}.so\", O_RDONLY|O_CLOEXEC) = 3\n", i);
    for (const std::string& line : split(times(150, kEndSpin)))
        log += "10:00,web,\"" + replaced(line, "\"", "\"\"") + "\"\n";
    EXPECT_GE(judge(log).level("EP203"), Level::kLikely);
}

// A stream that stands still before the first call, and within the first few.
TEST(Surroundings, APauseDoesNotEndLearning)
{
    for (unsigned pause_at : {10U, 73U}) {
        Auditor auditor(Profile::kProduction, make_rules());
        StraceImport log(auditor, 65536);
        unsigned number = 0;
        for (const std::string& line : split(prose(70) + times(150, kEndSpin))) {
            log.line("web1 svc[991]: " + line);
            if (++number == pause_at)
                log.pause();
        }
        log.finish();
        EXPECT_FALSE(auditor.findings().empty()) << pause_at;
        EXPECT_LE(log.refused(Refusal::kNoCall), 70U) << pause_at;
    }
}

// An access log and what a program says of itself begin with numbers that no strace wrote.
TEST(Surroundings, WhatIsNotStraceDoesNotMoveTheClock)
{
    for (const char* output :
         {"10.0.0.7 - - [01/May/2024:10:00:00 +0000] \"GET / HTTP/1.1\" 200 612", "127.0.0.1 - - GET",
          "3.5 ms per request", "23:59:58.100 INFO GET / 200", "00:00:01.000 INFO", "1800000000.5 request", "1.5"}) {
        Auditor auditor(Profile::kProduction, make_rules());
        StraceImport log(auditor, 65536);
        for (unsigned i = 0; i < 300; i++) {
            const std::string stamp = fmt::format("12:00:{:02}.{:06} ", i / 100, i % 100 * 10000);
            log.line(stamp + split(kEndSpin)[i % 2]);
            log.line(output);
        }
        log.finish();
        EXPECT_EQ(log.clock().now(), 1'000'000'000U + 2'990'000'000U) << output;
        EXPECT_EQ(log.clock().steps_back(), 0U) << output;
    }
}

}  // namespace
}  // namespace epaudit
