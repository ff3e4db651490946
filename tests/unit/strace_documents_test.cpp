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

}  // namespace
}  // namespace epaudit
