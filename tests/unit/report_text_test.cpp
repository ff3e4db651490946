// SPDX-License-Identifier: Apache-2.0
// The text report, byte for byte.
#include "src/report/text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "src/report/rules_list.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

std::string text_of(const Report& report)
{
    std::ostringstream out;
    write_text(report, out);
    return out.str();
}

size_t widest_line(const std::string& text)
{
    std::istringstream in(text);
    size_t widest = 0;
    for (std::string line; std::getline(in, line);)
        widest = std::max(widest, columns(line));
    return widest;
}

Report quiet_report()
{
    Report report;
    report.version = "0.1.0";
    report.command = {"./server", "--port", "80"};
    report.pids = {4711};
    report.observation.hooks = "tracepoint";
    report.observation.profile = "test";
    report.observation.seconds = 12.0;
    report.observation.postings = 123456;
    report.observation.lost = {{"files_full", 0}};
    report.observation.registrations = 37;
    report.observation.epolls = 2;
    report.coverage = {{"EP201", "busy-epollout", Status::kAvailable, ""},
                       {"EP401", "thundering-herd", Status::kAvailable, ""}};
    return report;
}

Finding busy_epollout()
{
    Finding finding;
    finding.rule = "EP201";
    finding.name = "busy-epollout";
    finding.level = Level::kConfirmed;
    finding.summary =
        "level-triggered EPOLLOUT is armed on a socket that has room while nothing is written, so every"
        " epoll_wait returns at once";
    finding.shape = "nothing between returns";
    finding.pid = 4711;
    finding.comm = "server";
    finding.exe = "/usr/bin/server";
    finding.epoll_fd = 4;
    finding.fd = {7, "tcp", "127.0.0.1:80", "127.0.0.1:5555"};
    finding.count = 1234567;
    finding.cost = {{"wakeups_per_s", 51234.4}, {"cpu_share", 0.97}};
    finding.facts = {{"mask", "EPOLLIN|EPOLLOUT"}};
    finding.timeline = {{0.001, "epoll_ctl ADD EPOLLIN|EPOLLOUT", 4711}};
    for (int i = 0; i < 15; ++i)
        finding.timeline.push_back({0.001010 + i * 0.000007, "delivered EPOLLOUT", 4711});
    finding.stacks = {{"armed at", {{"Publisher::on_connect", "server.cpp", 81}, {"main", "server.cpp", 150}}}};
    finding.fix = "arm EPOLLOUT only while output is queued";
    return finding;
}

Finding small_finding(const char* rule, const char* name, Level level)
{
    Finding finding;
    finding.rule = rule;
    finding.name = name;
    finding.level = level;
    finding.summary = "what is wrong";
    finding.pid = 12;
    finding.comm = "server";
    finding.fd.number = 9;
    finding.fd.kind = "eventfd";
    return finding;
}

TEST(TextReport, CleanIsShortAndSaysWhatWasWatched)
{
    EXPECT_EQ(text_of(quiet_report()),
              "watched   ./server --port 80 (pid 4711), 12.0 s: 2 epolls, 37 registrations\n"
              "data      123,456 events, none lost; probes tracepoint, profile test\n"
              "verdict   no epoll misuse found in 12.0 s, 123,456 events, 37 registrations of 2 epolls\n");
}

TEST(TextReport, AHelperAndWhoCallsIt)
{
    Report report = quiet_report();
    report.findings.push_back(busy_epollout());
    report.findings[0].stacks = {
        {"armed here",
         {{"watch_fd", "/src/ep.c", 8, "/usr/bin/server"}, {"on_accept", "/src/server.c", 21, "/usr/bin/server"}}}};
    EXPECT_EQ(text_of(report).find("passes"), std::string::npos);
    report.findings[0].stacks[0].helpers = {{"watch_fd", "/src/ep.c"}};
    EXPECT_NE(text_of(report).find(
                  "\n  the call comes from on_accept (/src/server.c:21); watch_fd (/src/ep.c:8) only passes it on\n"),
              std::string::npos)
        << text_of(report);
}

TEST(TextReport, SystemCallsPerRequest)
{
    Report report = quiet_report();
    report.observation.work = {.requests = 99, .waits = 99, .io = 198, .ctls = 0};
    EXPECT_EQ(text_of(report).find("work "), std::string::npos);
    report.observation.work = {.requests = 2000, .waits = 1000, .io = 4100, .ctls = 20};
    EXPECT_NE(
        text_of(report).find(
            "work      2,000 requests (reads that got bytes), 2.56 system calls each: epoll_wait 0.50, reads and\n"
            "          writes 2.05, epoll_ctl 0.01\n"),
        std::string::npos)
        << text_of(report);
}

TEST(TextReport, OneFindingInFull)
{
    Report report = quiet_report();
    report.findings = {busy_epollout()};
    EXPECT_EQ(text_of(report),
              "CONFIRMED  EP201 busy-epollout  server[4711]  epoll fd 4  tcp fd 7  "
              "127.0.0.1:80 -> 127.0.0.1:5555\n"
              "\n"
              "  level-triggered EPOLLOUT is armed on a socket that has room while nothing is written, so every\n"
              "  epoll_wait returns at once\n"
              "\n"
              "  mask      EPOLLIN|EPOLLOUT\n"
              "  pattern   nothing between returns\n"
              "  seen      1,234,567 times\n"
              "  wake-ups  51,234 per s\n"
              "  CPU       97 % of a core\n"
              "\n"
              "  timeline, tid 4711\n"
              "    0.001000 s  epoll_ctl ADD EPOLLIN|EPOLLOUT\n"
              "    0.001010 s  delivered EPOLLOUT\n"
              "    ... repeated 14 times, until 0.001108 s\n"
              "\n"
              "  armed at\n"
              "    Publisher::on_connect  server.cpp:81\n"
              "    main                   server.cpp:150\n"
              "\n"
              "  fix  arm EPOLLOUT only while output is queued\n"
              "\n"
              "\n"
              "watched   ./server --port 80 (pid 4711), 12.0 s: 2 epolls, 37 registrations\n"
              "data      123,456 events, none lost; probes tracepoint, profile test\n"
              "verdict   1 finding: 1 confirmed\n");
}

// Beside "14302 wake-ups without work in 1.5 s" the count says nothing new; beside 143020 of them it does.
TEST(TextReport, NoNumberTwice)
{
    Report report = quiet_report();
    report.findings = {busy_epollout()};
    Finding& finding = report.findings[0];
    finding.count = 14302;
    finding.facts = {{"run", "14302 wake-ups without work in 1.5 s"}};
    finding.cost = {{"torn_reads", 458.0}, {"useless_reads", 14302.0}};
    const std::string once = text_of(report);
    EXPECT_EQ(once.find("seen"), std::string::npos) << once;
    EXPECT_EQ(once.find("useless reads"), std::string::npos) << once;
    EXPECT_NE(once.find("torn reads  458"), std::string::npos) << once;
    finding.facts = {{"run", "143020 wake-ups without work in 1.5 s, 7 more"}};
    EXPECT_NE(text_of(report).find("seen        14,302 times"), std::string::npos) << text_of(report);
    finding.count = 7;  // one digit may stand for anything
    EXPECT_NE(text_of(report).find("7 times"), std::string::npos) << text_of(report);
}

TEST(TextReport, SaysInWhichContainer)
{
    Report report = quiet_report();
    report.command.clear();
    report.selection = "--pod shop/*";
    report.findings = {busy_epollout()};
    report.findings[0].workload = {
        "session-3.scope", {"3f4a0c1d9be87b2f6a5e", "", "acme/api:7", "docker"}, "shop/api-0"};
    const std::string text = text_of(report);
    EXPECT_NE(text.find("3f4a0c1d9be8 (acme/api:7, docker)\n"), std::string::npos) << text;
    EXPECT_NE(text.find("shop/api-0\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("session-3"), std::string::npos) << text;  // whose session it is says nothing of a server
    EXPECT_NE(text.find("--pod shop/* (pid 4711)"), std::string::npos) << text;
    report.findings[0].workload = {"web.service", {}, ""};
    EXPECT_NE(text_of(report).find("web.service\n"), std::string::npos);
}

TEST(TextReport, SeveralFindingsWorstFirstAndRisksHidden)
{
    Report report = quiet_report();
    report.findings = {small_finding("EP105", "write-stalled", Level::kRisk),
                       small_finding("EP202", "unread-spin", Level::kLikely),
                       small_finding("EP203", "eof-spin", Level::kConfirmed),
                       small_finding("EP602", "mixed-trigger-modes", Level::kInfo)};
    const std::string hidden =
        "CONFIRMED  EP203 eof-spin  server[12]  eventfd fd 9\n"
        "\n"
        "  what is wrong\n"
        "\n"
        "\n"
        "LIKELY  EP202 unread-spin  server[12]  eventfd fd 9\n"
        "\n"
        "  what is wrong\n"
        "\n"
        "\n"
        "watched   ./server --port 80 (pid 4711), 12.0 s: 2 epolls, 37 registrations\n"
        "data      123,456 events, none lost; probes tracepoint, profile test\n"
        "hidden    1 risk, 1 info not shown: --risks\n"
        "verdict   2 findings: 1 confirmed, 1 likely\n";
    EXPECT_EQ(text_of(report), hidden);

    report.options.risks = true;
    const std::string shown = text_of(report);
    EXPECT_NE(shown.find("RISK  EP105 write-stalled"), std::string::npos);
    EXPECT_NE(shown.find("INFO  EP602 mixed-trigger-modes"), std::string::npos);
    EXPECT_EQ(shown.find("--risks"), std::string::npos);
    EXPECT_TRUE(shown.ends_with("verdict   4 findings: 1 confirmed, 1 likely, 1 risk, 1 info\n")) << shown;
}

TEST(TextReport, RisksAloneAreNoMisuse)
{
    Report report = quiet_report();
    report.findings = {small_finding("EP105", "write-stalled", Level::kRisk)};
    EXPECT_TRUE(text_of(report).ends_with(
        "hidden    1 risk not shown: --risks\n"
        "verdict   no epoll misuse found in 12.0 s, 123,456 events, 37 registrations of 2 epolls\n"));
    report.options.risks = true;
    EXPECT_TRUE(text_of(report).ends_with("37 registrations of 2 epolls; 1 risk\n          above\n"))
        << text_of(report);
}

TEST(TextReport, IncompleteDataCannotBeClean)
{
    Report report = quiet_report();
    report.observation.lost = {{"files_full", 12}, {"epolls_full", 0}, {"future_reason", 3}};
    EXPECT_EQ(text_of(report),
              "watched   ./server --port 80 (pid 4711), 12.0 s: 2 epolls, 37 registrations\n"
              "data      123,456 events, INCOMPLETE; probes tracepoint, profile test\n"
              "lost      12 times a file had no room in the tables: raise --max-fds\n"
              "lost      future reason: 3: observe again; if it stays, say so to those who maintain epaudit\n"
              "verdict   inconclusive: nothing found in 12.0 s, but 12 times a file had no room in the tables:\n"
              "          raise --max-fds; and 1 more reason\n");
    report.findings = {busy_epollout()};
    EXPECT_TRUE(text_of(report).ends_with(
        "verdict   1 finding: 1 confirmed; there may be more: 12 times a file had no room in the tables\n"))
        << text_of(report);
}

TEST(TextReport, RulesThatCouldNotSeeDidNotPass)
{
    Report report = quiet_report();
    report.coverage = {{"EP201", "busy-epollout", Status::kAvailable, ""},
                       {"EP401", "thundering-herd", Status::kUnavailable, "wake-ups are not seen"},
                       {"EP402", "duplicate-delivery", Status::kUnavailable, "wake-ups are not seen"},
                       {"EP101", "et-read-not-drained", Status::kDegraded, "no socket state"}};
    EXPECT_EQ(text_of(report),
              "watched   ./server --port 80 (pid 4711), 12.0 s: 2 epolls, 37 registrations\n"
              "data      123,456 events, none lost; probes tracepoint, profile test\n"
              "degraded  EP101 et-read-not-drained: no socket state\n"
              "not seen  EP401 thundering-herd, EP402 duplicate-delivery: wake-ups are not seen\n"
              "verdict   no epoll misuse found by 2 of 4 rules in 12.0 s, 123,456 events, 37 registrations of 2\n"
              "          epolls\n");
}

TEST(TextReport, NoEpollIsNotClean)
{
    Report report = quiet_report();
    report.observation.epolls = report.observation.registrations = report.observation.postings = 0;
    EXPECT_TRUE(text_of(report).ends_with(
        "12.0 s: 0 epolls, 0 registrations\n"
        "data      0 events, none lost; probes tracepoint, profile test\n"
        "verdict   nothing to audit: no epoll instance was seen in 12.0 s: is it the right program, and did\n"
        "          it get far enough?\n"))
        << text_of(report);
}

TEST(TextReport, CommandNotesAndCost)
{
    Report report = quiet_report();
    report.child = Child{.ran = true, .exit_status = 3, .signal = 0};
    report.observation.notes = {"the target ended early"};
    report.observation.tool_cpu_seconds = 0.118;
    const std::string text = text_of(report);
    EXPECT_NE(text.find("profile test; epaudit's CPU 0.12 s\n"
                        "note      the target ended early\n"
                        "command   exited with status 3\n"),
              std::string::npos)
        << text;
    report.child = Child{.ran = true, .exit_status = 0, .signal = 11};
    EXPECT_NE(text_of(report).find("command   killed by signal 11 (SIGSEGV)\n"), std::string::npos);
    report.child = Child{};
    EXPECT_EQ(text_of(report).find("command "), std::string::npos);
}

TEST(TextReport, WhatWatchingCosts)
{
    Report report = quiet_report();
    report.observation.tool_cpu_seconds = 0.118;
    report.observation.cost = WatchingCost{0.031, 0.004, 0.7, 1};
    std::string text = text_of(report);
    EXPECT_NE(
        text.find("profile test\n"
                  "cost      3.5 % of a core: probes 3.1 %, epaudit itself 0.4 %; what is watched uses 70 %: 5.0 % of\n"
                  "          that\n"),
        std::string::npos)
        << text;
    report.observation.cost = WatchingCost{0.0001, 0.002, 0, 1};  // an idle server
    text = text_of(report);
    EXPECT_NE(text.find("cost      0.2 % of a core: probes 0.0 %, epaudit itself 0.2 %\n"), std::string::npos) << text;
}

TEST(TextReport, LongCommandsAndManyPidsAreCut)
{
    Report report = quiet_report();
    report.command = {"java", "-cp", std::string(300, 'x'), "a b"};
    report.pids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    EXPECT_TRUE(text_of(report).starts_with("watched   java -cp ... (pids 1, 2, 3, 4, 5, 6, 7, 8 and 2 more), 12.0 s"))
        << text_of(report);
}

TEST(TextReport, ColourOnlyWhenToldAndOutsideTheText)
{
    Report report = quiet_report();
    report.findings = {busy_epollout()};
    const std::string plain = text_of(report);
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    report.options.colour = true;
    std::string coloured = text_of(report);
    EXPECT_TRUE(coloured.starts_with("\x1b[1;31mCONFIRMED\x1b[0m  EP201"));
    for (const char* code : {"\x1b[1;31m", "\x1b[0m"})
        for (size_t at; (at = coloured.find(code)) != std::string::npos;)
            coloured.erase(at, std::string(code).size());
    EXPECT_EQ(coloured, plain);
}

TEST(TextReport, NeverWiderThanAsked)
{
    Report report = quiet_report();
    Finding finding = busy_epollout();
    finding.comm = "a-fifteen-chars";
    finding.fd.local = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
    finding.fd.peer = "[2001:db8:1111:2222:3333:4444:5555:7777]:65535";
    finding.facts.emplace_back("path", "/run/" + std::string(150, 'p'));
    finding.facts.emplace_back(std::string(60, 'n'), "long name");
    finding.timeline.push_back({2000000.5, std::string(300, 'w'), 9});
    finding.stacks[0].frames.push_back({std::string(200, 'f'), "/" + std::string(200, 'd') + ".cpp", 1});
    report.findings = {finding};
    report.observation.notes = {std::string(250, 'n')};
    for (const unsigned width : {100U, 60U}) {
        report.options.width = width;
        EXPECT_LE(widest_line(text_of(report)), width);
    }
}

TEST(TextReport, ForeignTextCannotDriveTheTerminal)
{
    Report report = quiet_report();
    Finding finding = small_finding("EP202", "unread-spin", Level::kLikely);
    finding.comm = "\x1b[2Jevil\n\xff\xc3";
    finding.fd.local = "@\xe2\x82\xac\x07";
    report.findings = {finding};
    report.command = {"\x1b]0;x", "a\nb"};
    const std::string text = text_of(report);
    EXPECT_TRUE(
        text.starts_with("LIKELY  EP202 unread-spin  \\x1b[2Jevil\\x0a\xef\xbf\xbd\xef\xbf\xbd[12]  eventfd fd 9"
                         "  @\xe2\x82\xac\\x07\n"))
        << text;
    EXPECT_NE(text.find("watched   \\x1b]0;x 'a\\x0ab' (pid 4711)"), std::string::npos) << text;
}

TEST(Timeline, FoldsACycleOfSeveralEntriesAndKeepsTheRest)
{
    Finding finding = small_finding("EP202", "unread-spin", Level::kLikely);
    finding.timeline.push_back({1.0, "epoll_ctl ADD EPOLLIN", 12});
    for (int i = 0; i < 4; ++i) {
        finding.timeline.push_back({1.1 + i * 0.25, "delivered EPOLLIN", 12});
        finding.timeline.push_back({1.101 + i * 0.25, "read = EAGAIN", 13});
    }
    finding.timeline.push_back({12.0, "close", 0});
    std::ostringstream out;
    write_finding(finding, Options{}, out);
    EXPECT_EQ(out.str(),
              "LIKELY  EP202 unread-spin  server[12]  eventfd fd 9\n"
              "\n"
              "  what is wrong\n"
              "\n"
              "  timeline\n"
              "     1.000 s  tid 12       epoll_ctl ADD EPOLLIN\n"
              "     1.100 s  tid 12       delivered EPOLLIN\n"
              "     1.101 s  tid 13       read = EAGAIN\n"
              "    ... these 2 repeated 3 times, until 1.851 s\n"
              "    12.000 s               close\n");
}

TEST(Timeline, ShowsTheLastSixteenAndDoesNotFoldTwice)
{
    Finding finding = small_finding("EP202", "unread-spin", Level::kLikely);
    for (int i = 0; i < 20; ++i)
        finding.timeline.push_back({i * 0.1, "read " + std::to_string(i / 2) + " bytes", 12});
    std::ostringstream out;
    write_finding(finding, Options{}, out);
    const std::string text = out.str();
    EXPECT_EQ(text.find("read 1 bytes"), std::string::npos);
    EXPECT_NE(text.find("    0.400 s  read 2 bytes\n    0.500 s  read 2 bytes\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("repeated"), std::string::npos);
}

TEST(Words, Numbers)
{
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(18446744073709551615ULL), "18,446,744,073,709,551,615");
    EXPECT_EQ(number_text(0), "0");
    EXPECT_EQ(number_text(0.0042), "0.0042");
    EXPECT_EQ(number_text(3.4), "3.4");
    EXPECT_EQ(number_text(99.97), "100");
    EXPECT_EQ(number_text(51234.4), "51,234");
    EXPECT_EQ(number_text(-2.5), "-2.5");
    EXPECT_EQ(number_text(0.0 / 0.0), "?");
}

TEST(Words, MeasuresSayTheirUnits)
{
    const auto says = [](const char* name, double value) {
        const auto [label, text] = measure_text({name, value});
        return label + " = " + text;
    };
    EXPECT_EQ(says("wakeups_per_s", 12), "wake-ups = 12 per s");
    EXPECT_EQ(says("wakes_per_accept", 7.5), "wakes = 7.5 per accept");
    EXPECT_EQ(says("cpu_share", 0.5), "CPU = 50 % of a core");
    EXPECT_EQ(says("wasted_share", 0.755), "wasted = 75.5 %");
    EXPECT_EQ(says("stuck_bytes", 4096), "stuck = 4,096 bytes");
    EXPECT_EQ(says("oldest_s", 3.25), "oldest = 3.25 s");
    EXPECT_EQ(says("gap_us", 40), "gap = 40 µs");
    EXPECT_EQ(says("leaked_sockets", 1200), "leaked sockets = 1,200");
}

TEST(RulesList, Text)
{
    const RuleInfo busy{"EP201", "busy-epollout", "the loop spins", Level::kConfirmed, {}, {}, ""};
    const RuleInfo herd{"EP401", "thundering-herd", "one connection wakes many waiters", Level::kConfirmed, {}, {}, ""};
    std::ostringstream out;
    write_rules_text({{busy, {}}, {herd, {Status::kDegraded, "wake-ups are guessed"}}}, Options{}, out);
    EXPECT_EQ(out.str(),
              "EP201  busy-epollout    confirmed  the loop spins\n"
              "EP401  thundering-herd  confirmed  one connection wakes many waiters\n"
              "       degraded: wake-ups are guessed\n"
              "\n"
              "2 rules, 1 limited or not available here; third column: the highest level it can reach\n"
              "more about one: epaudit explain ID\n");
}

}  // namespace
}  // namespace epaudit
