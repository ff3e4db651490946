// SPDX-License-Identifier: Apache-2.0
// Logs as strings of documents, as words of pages, and with something behind each of their lines.
#include <fmt/format.h>

#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

// A string of JSON, with ends of lines as a browser sends them.
std::string with_returns(const std::string& text) { return replaced(lines_of(text, escaped), "\n", "\\r\\n"); }

TEST(Documents, AListMayBeOneLine)
{
    for (const char* comma : {",", ", "})
        stays_readable("strings", [&](const std::string& text) {
            std::string all;
            for (const std::string& line : split(text))
                all += (all.empty() ? "[" : comma) + ("\"" + escaped(line) + "\"");
            return all + "]\n";
        });
    stays_readable("records", [](const std::string& text) {
        std::string all;
        for (const std::string& line : split(text))
            all += (all.empty() ? "[" : ",") + ("{\"log\":\"" + escaped(line) + "\\n\",\"stream\":\"stderr\"}");
        return all + "]\n";
    });
}

TEST(Documents, AnIssueAsItsTrackerTellsIt)
{
    const std::string head =
        "{\n  \"url\": \"https://api.example.org/repos/a/b/issues/1\",\n  \"number\": 1,\n  \"title\": \"100% CPU\",\n"
        "  \"user\": {\n    \"login\": \"joe\"\n  },\n  \"body\": \"We see 100% CPU\\r\\n\\r\\n```\\r\\n";
    stays_readable("a field a line", [&](const std::string& text) {
        return head + with_returns(text) + "```\\r\\n\",\n  \"comments\": 7\n}\n";
    });
    stays_readable("with a prefix of strace", [&](const std::string& text) {
        return head + escaped(lines_of(text, [](const std::string& line) { return "[pid 71] " + line; })) +
               "```\",\n  \"comments\": 7\n}\n";
    });
}

TEST(Documents, OneStringIsAWholeLog)
{
    stays_readable("JSON", [](const std::string& text) { return "\"" + escaped(text) + "\"\n"; });
    stays_readable("with ends of lines of its own",
                   [](const std::string& text) { return "\"" + with_returns(text) + "\"\n"; });
}

TEST(Documents, QuotesThatKnowNoEscapes)
{
    stays_readable("YAML", [](const std::string& text) {
        return "log:\n" + lines_of(text, [](const std::string& line) { return "  - '" + line + "'"; });
    });
    stays_readable("around each line", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) { return "\"" + line + "\""; });
    });
    stays_readable("around each line, in a list", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) { return "\"" + line + "\","; });
    });
}

// A page's text may have had "\n" in it: such a string is not where a line ends.
TEST(Documents, WhatIsSpeltInAStringStaysThere)
{
    const PastedAnswer judged = judge(
        times(150,
              "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nread(31, \"<html>\\r\\n<p>\\n\", 4096) = 6\n"
              "write(31, \"= 1\\n\", 4) = 4\n"));
    EXPECT_TRUE(judged.quiet()) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
}

TEST(Documents, WordsOfAPageHaveTags)
{
    for (const char* quote : {"\"", "&quot;"})
        stays_readable(quote, [&](const std::string& text) {
            return lines_of(replaced(text, "\"", quote), [](const std::string& line) {
                const size_t bracket = line.find('(');
                return "<span class=\"line\"><span class=\"nf\">" + line.substr(0, bracket) + "</span>" +
                       line.substr(bracket) + "</span>";
            });
        });
}

TEST(Documents, SomethingStandsBehindEachLine)
{
    for (const char* tail : {"^M", ",", ";", " ;", " \\", "\\par", " |", " $", "<br>", "\\n\\", "'", "\""})
        stays_readable(tail, [&](const std::string& text) {
            return lines_of(text, [&](const std::string& line) { return line + tail; });
        });
}

TEST(Documents, TabsStandForSpaces)
{
    for (const auto& [what, by] : {std::pair(") = ", ")\t=\t "), {") = ", ")\t\t=\t"}, {" ", "\t"}})
        stays_readable(by, [&, what = what, by = by](const std::string& text) { return replaced(text, what, by); });
}

// One line of many was broken, before its result.
TEST(Documents, ALineMayBeBrokenBeforeItsResult)
{
    for (const char* end : {")\n= 0", ") \n= 0", ")      = 0"}) {
        const PastedAnswer judged = judge(times(5, kWork) +
                                          "epoll_ctl(9, EPOLL_CTL_MOD, 31, {EPOLLIN, {u32=31, u64=31}}" + end + "\n" +
                                          times(50, kWork));
        EXPECT_EQ(judged.lost, 0U) << end;
    }
}

TEST(Documents, ABrokenEndOfACallIsJoined)
{
    const std::string loop =
        "[pid 71] epoll_wait(9,  <unfinished ...>\n[pid 72] futex(0x7f00, FUTEX_WAIT, 0, NULL <unfinished ...>\n"
        "[pid 71] <... epoll_wait resumed>[{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 64, -1) = 1\n"
        "[pid 72] <... futex resumed>) = 0\n";
    for (size_t width : {82U, 80U, 72U, 64U, 60U}) {
        const PastedAnswer judged = judge(wrapped(times(150, loop), width));
        EXPECT_GE(judged.level("EP204"), Level::kLikely) << width << "\n" << judged.told;
        EXPECT_EQ(judged.lost, 0U) << width;
    }
    // Nothing more came of one.
    EXPECT_EQ(judge(times(3, loop) + replaced(loop, "}}], 64, -1) = 1", "") + times(3, loop)).lost, 1U);
}

TEST(Documents, SomebodyRemarksOnALine)
{
    for (const char* remark : {"   <--- here", "  # EOF again", "  // nothing"}) {
        const PastedAnswer judged = judge(
            times(50, std::string("[pid 71] epoll_wait(9,  <unfinished ...>") + remark +
                          "\n[pid 72] futex(0x7f00, FUTEX_WAIT, 0, NULL <unfinished ...>\n"
                          "[pid 71] <... epoll_wait resumed>[{EPOLLIN, {u32=31, u64=31}}], 64, -1) = 1" +
                          remark + "\n[pid 71] read(31, \"x\", 10) = 1" + remark + "\n"));
        EXPECT_EQ(judged.lost, 0U) << remark;
        EXPECT_TRUE(judged.quiet()) << judged.told;
    }
}

// What is said of a call, and a program's source, are no calls that were cut off.
TEST(Documents, SourceIsNoLog)
{
    for (const char* line : {"epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &ev);", "epoll_wait().", "perf says epoll_wait().",
                             "read(fd, buf, sizeof buf);", "epoll_wait(self->epfd, events, 64, -1)", "close(*fd);"})
        EXPECT_EQ(judge(times(2, kWork) + line + "\n" + times(50, kWork) + line + "\n" + times(5, kWork)).lost, 0U)
            << line;
    // This one was.
    EXPECT_EQ(judge(times(2, kWork) + "epoll_ctl(9, EPOLL_CTL_MOD, 31\n" + times(5, kWork)).lost, 1U);
}

// cat -v, journals of system logs and JSON that was copied as text spell what a terminal would have obeyed.
TEST(Documents, ColoursThatAreSpelt)
{
    for (const std::string escape : {"^[", "\\x1b", "\\u001b", "\\033", "\\e", "#033"})
        stays_readable(escape.c_str(), [&](const std::string& text) {
            return lines_of(text, [&](const std::string& line) { return escape + "[1;36m" + line + escape + "[0m"; });
        });
    stays_readable("tabs", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) { return replaced(line, " = ", "#011= "); });
    });
}

// The column of line numbers is lost where a page's words are joined: "12epoll_wait(". A pid behind it stays.
TEST(Documents, NumbersOfLinesStandCloseToThem)
{
    auto numbered = [](const std::string& before, const std::string& behind) {
        return [=](const std::string& text) {
            unsigned number = 0;
            return lines_of(text, [&](const std::string& line) {
                return before + std::to_string(++number) + behind +
                       replaced(replaced(line, "<", "&lt;"), "\"", "&quot;");
            });
        };
    };
    stays_readable("text", [](const std::string& text) {
        unsigned number = 0;
        return lines_of(text, [&](const std::string& line) { return std::to_string(++number) + line; });
    });
    stays_readable("cells", numbered("<tr><td>", "</td><td>"));
    stays_readable("spans", numbered("<div class=\"line\"><span>", "</span>"));
    std::string both;  // two processes whose descriptors have the same numbers
    for (unsigned i = 0; i < 300; i++)
        for (const char* pid : {"[pid 700] ", "[pid 701] "})
            both += lines_of(i % 2 ? kWork : kLines, [&](const std::string& line) { return pid + line; });
    for (const char* behind : {"", "</td><td>"})
        EXPECT_EQ(judge(numbered(*behind ? "<tr><td>" : "", behind)(both)).lost, 0U) << behind;
}

// Calls that stand one behind the other, and nothing between them.
TEST(Documents, EndsOfLinesAreLost)
{
    for (const std::string& loop : {kEndSpin, kHup, kFull})
        EXPECT_FALSE(judge(replaced(times(150, loop), "\n", "") + "\n").quiet()) << loop;
    EXPECT_TRUE(judge(replaced(times(150, kWork), "\n", "") + "\n").quiet());
}

// A page whose lines are broken by a tag alone.
TEST(Documents, APageMayBeOneLine)
{
    for (const char* end : {"<br>", "<br/>", "<br />"})
        for (const std::string& loop : {kEndSpin, kHup, kFull, kWork}) {
            std::string page = replaced(replaced(times(150, loop), "<", "&lt;"), "\"", "&quot;");
            const PastedAnswer judged = judge("<p>" + replaced(page, "\n", end) + "</p>\n");
            EXPECT_EQ(judged.quiet(), loop == kWork) << end << loop << judged.told;
            EXPECT_EQ(judged.lost, 0U) << end << loop;
        }
    const std::string stall =
        replaced(kWork, "\n", " <0.000010>\n") +
        "poll([{fd=9, events=POLLIN}], 1, 5000) = 0 (Timeout) <5.004970>\n"
        "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}, {EPOLLIN, {u32=32, u64=32}}], 64, -1) = 2 <0.000004>\n"
        "read(31, \"x\", 9) = 1 <0.000004>\nread(32, \"x\", 9) = 1 <0.000004>\n";
    const std::string page = replaced(replaced(times(4, stall), "<", "&lt;"), ">", "&gt;");
    EXPECT_EQ(judge("<p>" + replaced(page, "\n", "<br>") + "</p>\n").level("EP404"),
              judge(times(4, stall)).level("EP404"));
    EXPECT_EQ(judge(times(4, stall)).level("EP404"), Level::kLikely);
}

// Whose call it is stands before each, also where another call's line goes on.
TEST(Documents, CallsOnOneLineKeepTheirPids)
{
    std::string both;  // one is told, the other one reads something else to its end
    for (unsigned i = 0; i < 200; i++)
        both +=
            "[pid 700] epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n[pid 700] fstat(5, 0x7ffc) = 0\n"
            "[pid 700] read(7, \"x\", 99) = 1\n[pid 701] read(7, \"\", 99) = 0\n[pid 701] close(7) = 0\n";
    for (const char* between : {" ", "; "}) {
        const PastedAnswer judged = judge(replaced(both, "\n", between) + "\n");
        EXPECT_TRUE(judged.quiet()) << between << judged.told;
        EXPECT_EQ(judged.lost, 0U) << between;
        EXPECT_EQ(judged.runs.size(), judge(both).runs.size()) << between;
    }
    const std::string attached = "strace: Process 4242 attached\n";
    EXPECT_EQ(judge(replaced(attached + times(150, kHup), "\n", " ") + "\n").level("EP204"), Level::kLikely);
}

// Calls that the accounts do not know stand between those that they do.
TEST(Documents, AnyCallMayStandFirstOnALine)
{
    const std::string between = "getsockname(31, {sa_family=AF_UNIX}, [128 => 2]) = 0\nstat(\"/etc\", 0x7ffc) = 0\n";
    for (const std::string& loop : {kEndSpin, kHup, kFull})
        EXPECT_FALSE(judge(replaced(times(150, between + loop), "\n", " ") + "\n").quiet()) << loop;
    EXPECT_TRUE(judge(replaced(times(150, between + kWork), "\n", " ") + "\n").quiet());
}

// A table of Markdown cannot hold the rule between two events as it is.
TEST(Documents, RulesOfATableAreEscaped)
{
    stays_readable("table", [](const std::string& text) {
        unsigned number = 0;
        return lines_of(text, [&](const std::string& line) {
            return "| " + std::to_string(++number) + " | " + replaced(line, "|", "\\|") + " |";
        });
    });
}

// What most lines end with is no ornament if a mail broke them there.
TEST(Documents, AMailBreaksLinesBehindTheNameOfAnError)
{
    const std::string ghost =
        "05:56:23.000000 epoll_wait(5, [{EPOLLIN|EPOLLHUP, {u32=16, u64=16}}],\n1024, 847) = 1\n"
        "05:56:23.000250 epoll_ctl(5, EPOLL_CTL_DEL, 16, 0x7ffe) = -1 EBADF\n(Bad file descriptor)\n";
    const PastedAnswer judged = judge(lines_of(times(150, ghost), [](const std::string& line) { return "> " + line; }));
    EXPECT_GE(judged.level("EP303"), Level::kLikely) << judged.told;
    EXPECT_FALSE(judged.has("EP204")) << judged.told;
    const std::string two = "> epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1 read(7, \"\",\n> 4096) = 0\n";
    const PastedAnswer end = judge(times(150, two));
    ASSERT_FALSE(end.runs.empty());
    EXPECT_EQ(end.runs[0].fd, 7);
    EXPECT_GE(end.level("EP203"), Level::kLikely) << end.told;
}

// What subprocess gives, printed.
TEST(Documents, PythonPrintsAWholeLogAsOneString)
{
    auto python = [](const std::string& text) { return replaced(replaced(text, "\\", "\\\\"), "\n", "\\n"); };
    for (const char* before : {"", "b", "CompletedProcess(args=['strace'], returncode=0, stderr=b"})
        stays_readable(before, [&](const std::string& text) { return before + ("'" + python(text) + "'\n"); });
}

// A file that was cut while it was written to begins with zeros, a list of `find -print0` has them for ends.
TEST(Documents, ZerosAreNoText)
{
    const std::string zero(1, '\0');
    stays_readable("before", [&](const std::string& text) { return std::string(4096, '\0') + text; });
    stays_readable("at the ends", [&](const std::string& text) { return replaced(text, "\n", zero + "\n"); });
    stays_readable("for ends", [&](const std::string& text) { return replaced(text, "\n", zero); });
}

// An escape is eaten and the rest of a colour stays; a terminal's other commands end with a bell or a backslash.
TEST(Documents, ColoursWithoutTheirEscape)
{
    for (const auto& [before, behind] : {std::pair("[33m", "[0m"),
                                         {"[0;1m[38;5;81m", "[0m"},
                                         {"\x1b]8;;file:///log\x1b\\", "\x1b]8;;\x1b\\"},
                                         {"\x1b]0;joe@web1: ~\a\x1b[0m", "\x1b[0m\x1b[K"}})
        stays_readable(before, [&, before = before, behind = behind](const std::string& text) {
            return lines_of(text, [&](const std::string& line) { return before + line + behind; });
        });
    stays_readable("JSON", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) {
            return "{\"log\":\"\\u001b[33m" + escaped(line) + "\\u001b[0m\\n\",\"stream\":\"stderr\"}";
        });
    });
}

}  // namespace
}  // namespace epaudit
