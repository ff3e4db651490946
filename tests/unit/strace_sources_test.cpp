// SPDX-License-Identifier: Apache-2.0
// Several logs in one: lines belong to the log that is named.
#include "rules/catalogue.h"
#include "src/strace/sources.h"
#include "tests/unit/pasted.h"

namespace epaudit {
namespace {

// Told of 31 again and again, and nothing done about it.
std::string spin(unsigned turns, const std::string& before = "")
{
    return times(turns, before + "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n");
}

// A healthy program whose descriptors have the same numbers.
std::string work(unsigned turns, const std::string& before = "")
{
    std::string all;
    for (unsigned i = 0; i < turns; i++)
        for (const std::string& line : split(kWork))
            all += before + line + "\n";
    return all;
}

// One after another, in pieces, as `tail -f` prints what two programs write at the same time.
std::string mixed(const std::function<std::string(const std::string& name)>& heading, const std::string& a = "a.log",
                  const std::string& b = "b.log")
{
    std::string all;
    for (int piece = 0; piece < 60; piece++)
        all += heading(a) + spin(5) + heading(b) + work(5);
    return all;
}

std::string tail(const std::string& name) { return "\n==> " + name + " <==\n"; }
std::string more(const std::string& name) { return "::::::::::::::\n" + name + "\n::::::::::::::\n"; }
std::string echo(const std::string& name) { return name + "\n"; }
std::string comment(const std::string& name) { return "### " + name + " ###\n"; }

void finds_the_one_spin(const std::string& text)
{
    PastedAnswer judged = judge(text);
    EXPECT_GE(judged.level("EP204"), Level::kLikely) << judged.told << text.substr(0, 400);
    EXPECT_EQ(judged.found.size(), 1U) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
    uint64_t longest = 0;
    for (const LogRun& run : judged.runs)
        longest = std::max(longest, run.returns);
    EXPECT_EQ(longest, 300U);
}

TEST(Sources, HeadingsKeepLogsApart)
{
    finds_the_one_spin(mixed(tail));
    finds_the_one_spin(mixed(more));
    finds_the_one_spin(mixed(tail, "/var/tmp/x.4242", "/var/tmp/x.4243"));
    finds_the_one_spin(mixed(echo, "x.4242", "x.4243"));
    std::string quoted;
    for (const std::string& line : split(mixed(tail)))
        quoted += "> " + line + "\n";
    finds_the_one_spin(quoted);
    finds_the_one_spin(mixed(comment, "./trace.4242", "./trace.4243"));
}

TEST(Sources, NamesBeforeLinesKeepLogsApart)
{
    for (const auto& [a, b] : std::vector<std::pair<std::string, std::string>>{
             {"a.log:", "b.log:"},
             {"x.4242:", "x.4243:"},
             {"./logs/a:17:", "./logs/b:4:"},
             {"web-1     | ", "worker-1  | "},
             {"[pod/web-7d4b9c-x2x9z/web] ", "[pod/web-7d4b9c-k8k2p/web] "},
             {"Nov 03 09:14:07 db-2 strace[4471]: ", "Nov 03 09:14:07 db-2 strace[4475]: "},
             {"web-7d4b9c-x2x9z web ", "db-0 db "},
             {"<30>1 2026-03-01T08:00:00Z node7 web 4711 - - ", "<30>1 2026-03-01T08:00:00Z node7 web 4712 - - "},
             {"web-1     | [pid     7] ", "worker-1  | [pid     7] "}}) {
        std::string all;
        for (int piece = 0; piece < 60; piece++)
            all += spin(5, a) + work(5, b);
        finds_the_one_spin(all);
        finds_the_one_spin(spin(300, a) + work(300, b));  // the second name comes late
        finds_the_one_spin(work(300, b) + spin(300, a));
    }
}

TEST(Sources, OneProgramIsNotSplit)
{
    // Two threads of one program, whose lines have pids, through one logger; its lines name nothing that tells them apart.
    const std::string both =
        "[pid 70] epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
        "[pid 71] recvfrom(31, \"GET /\", 2048, 0, NULL, NULL) = 5\n";
    for (const char* prefix : {"INFO: ", "2024-03-09T11:22:33: ", "stderr F ", "web_1  | "})
        EXPECT_TRUE(judge(times(300, both), [&](const std::string& line, unsigned) { return prefix + line; }).quiet())
            << prefix;
    unsigned n = 0;
    EXPECT_TRUE(judge(times(300, both), [&](const std::string& line, unsigned) {
                    return (n++ % 2 ? "INFO: " : "DEBUG: ") + line;
                }).quiet());
    // What the program writes itself is no heading.
    std::string all;
    for (int i = 0; i < 300; i++)
        all += "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\npython3." + std::to_string(10 + i) +
               "\n";
    PastedAnswer judged = judge(all);
    EXPECT_GE(judged.level("EP204"), Level::kLikely) << judged.told;
    ASSERT_FALSE(judged.runs.empty());
    EXPECT_EQ(judged.runs[0].returns, 300U);
}

TEST(Sources, ANameThatChangesWithEachLineIsNone)
{
    unsigned n = 0;
    const std::vector<std::function<std::string()>> prefixes = {
        [&] { return "L" + std::to_string(++n) + ": "; }, [&] { return "x.c-" + std::to_string(++n) + ": "; },
        [&] { return "May  1 10:00:00 web1 strace[" + std::to_string(4000 + ++n) + "]: "; },
        [&] { return "<30>1 2026-03-01T08:00:00Z host strace " + std::to_string(4000 + ++n) + " - - "; }};
    for (const auto& prefix : prefixes) {
        PastedAnswer judged = judge(spin(300), [&](const std::string& line, unsigned) { return prefix() + line; });
        EXPECT_GE(judged.level("EP204"), Level::kLikely) << prefix() << judged.told;
    }
}

TEST(Sources, ThreadsInFilesOfTheirOwnAreNotBlamedForEachOther)
{
    // strace -ff: one thread waits, another takes what came; their files stand one after another.
    const std::string waits = times(300, "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"),
                      reads = times(300, "recvfrom(31, \"GET /\", 2048, 0, NULL, NULL) = 5\n");
    EXPECT_TRUE(judge(tail("x.4242") + waits + tail("x.4243") + reads).quiet());
    EXPECT_TRUE(
        judge("x.4242\nexecve(\"./a\", [\"a\"], 0x7ffd /* 1 vars */) = 0\n" + waits + "x.4243\n" + reads).quiet());
}

TEST(Sources, ALineCutByAHeadingGoesOn)
{
    std::string all;
    for (int piece = 0; piece < 60; piece++)
        all += tail("a.log") + spin(4) + "epoll_wait(9, [{EPOLLIN|EPOLLHUP, " + tail("b.log") + work(5) +
               tail("a.log") + "{u32=31, u64=31}}], 512, -1) = 1\n" + tail("b.log") + work(2);
    finds_the_one_spin(all);
}

TEST(Sources, EachLogHasItsOwnTime)
{
    auto stamped = [](double from, const std::string& text) {
        std::string all;
        for (const std::string& line : split(text)) {
            char stamp[32];
            snprintf(stamp, sizeof stamp, "%.6f ", from += 0.01);
            all += stamp + line + "\n";
        }
        return all;
    };
    PastedAnswer judged = judge(tail("a.log") + stamped(1700000000, spin(300)) + tail("b.log") +
                                stamped(1700000000, work(300)));
    EXPECT_GE(judged.level("EP204"), Level::kLikely);
    EXPECT_EQ(judged.found.size(), 1U) << judged.told;
    // Relative ones count from the line before of the same log.
    std::string relative;
    for (int i = 0; i < 300; i++)
        relative +=
            "a.log:     0.010000 epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n"
            "b.log:     0.010000 epoll_wait(9, [], 512, 10) = 0\n";
    Auditor auditor(Profile::kProduction, make_rules());
    StraceImport log(auditor, 1000);
    for (const std::string& line : split(relative))
        log.line(line);
    log.finish();
    EXPECT_NEAR(static_cast<double>(log.clock().now()) / 1e9, 4.0, 0.1);
}

}  // namespace
}  // namespace epaudit
