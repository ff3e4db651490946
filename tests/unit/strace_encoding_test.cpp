// SPDX-License-Identifier: Apache-2.0
// What editors, chat clients, documents and terminals make of the characters of a log.
#include <fmt/format.h>

#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

TEST(Encoding, SignsThatChatClientsPutInPlace)
{
    for (const char* dash : {"\u2010", "\u2013", "\u2014", "\u2212"})
        stays_readable(dash, [&](const std::string& text) { return replaced(text, "-1", dash + std::string("1")); });
    for (const char* quote : {"\u201c", "\u201d", "\u201e", "\u00ab"})
        stays_readable(quote, [&](const std::string& text) { return replaced(text, "\"", quote); });
    for (const char* space : {"\u00a0", "\u202f", "\u2009", "\u3000"})
        stays_readable("a space", [&](const std::string& text) { return replaced(text, " ", space); });
    for (const char* nothing : {"\u200b", "\u2060", "\ufeff"})
        stays_readable("nothing",
                       [&](const std::string& text) { return replaced(text, "(", "(" + std::string(nothing)); });
}

TEST(Encoding, ThreeDotsInOne)
{
    PastedAnswer judged = judge(
        times(150,
              "[pid 71] epoll_wait(9,  <unfinished \u2026>\n"
              "[pid 72] futex(0x7f00, FUTEX_WAIT, 0, NULL <unfinished \u2026>\n"
              "[pid 71] <\u2026 epoll_wait resumed>[{EPOLLHUP, {u32=31, u64=31}}], 64, \u20131) = 1\n"
              "[pid 72] <\u2026 futex resumed>) = \u20131 EAGAIN (Resource temporarily unavailable)\n"));
    EXPECT_GE(judged.level("EP204"), Level::kLikely) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
}

TEST(Encoding, StringsOfDocuments)
{
    stays_readable("a list of JSON", [](const std::string& text) {
        return "[\n" + lines_of(text, [](const std::string& line) { return "    \"" + escaped(line) + "\","; }) + "]\n";
    });
    stays_readable("the source of a list", [](const std::string& text) {
        return "[" + lines_of(text, [](const std::string& line) { return " '" + line + "',"; }) + "]\n";
    });
    stays_readable("CSV", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) { return "\"" + replaced(line, "\"", "\"\"") + "\""; });
    });
    stays_readable("JSON behind a prefix", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) {
            return "2024-05-01 12:00:00 +0000 strace: {\"source\": \"stderr\", \"message\": \"" + escaped(line) + "\"}";
        });
    });
    stays_readable("one string", [](const std::string& text) {
        return "{\"id\": 7, \"body\": \"This is it:\\n" + escaped(text) + "\"}\n";
    });
    stays_readable("one line", [](const std::string& text) { return replaced(text, "\n", "\\n") + "\n"; });
}

TEST(Encoding, FieldsOfRecords)
{
    stays_readable("a column of CSV", [](const std::string& text) {
        return "time,line,host\n" + lines_of(text, [](const std::string& line) {
                   return "2024-05-01T12:00:00Z,\"" + replaced(line, "\"", "\"\"") + "\",web1";
               });
    });
    stays_readable("logfmt", [](const std::string& text) {
        return lines_of(text,
                        [](const std::string& line) { return "level=info msg=\"" + escaped(line) + "\" host=web1"; });
    });
    stays_readable("JSON, a field a line", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) {
            return "  {\n    \"ts\": 7,\n    \"event\": \"" + escaped(line) + "\"\n  },";
        });
    });
    stays_readable("JSON, quotes by number", [](const std::string& text) {
        return lines_of(
            text, [](const std::string& line) { return "  \"" + replaced(escaped(line), "\\\"", "\\u0022") + "\","; });
    });
}

TEST(Encoding, CodesOfMailAndPages)
{
    stays_readable("quoted-printable", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) {
            std::string coded = replaced(line, "=", "=3D"), broken;
            while (coded.size() > 60) {
                const size_t code = coded.find('=', 57);  // which is not broken
                const size_t size = std::min<size_t>(code, 60);
                broken += coded.substr(0, size) + "=\n";
                coded.erase(0, size);
            }
            return broken + coded;
        });
    });
    stays_readable("entities by number", [](const std::string& text) {
        return replaced(replaced(replaced(replaced(text, "\"", "&#34;"), "[", "&#91;"), "{", "&#x7b;"), "}", "&#125;");
    });
}

// Numbers kept in columns: what stands before the line has one space less at 10, at 100.
TEST(Encoding, NumbersInColumns)
{
    unsigned number = 0;
    stays_readable("a table of a data base", [&](const std::string& text) {
        number = 0;
        return lines_of(text, [&](const std::string& line) { return fmt::format("{:>3} | {}", ++number, line); });
    });
}

TEST(Encoding, EndsOfLines)
{
    stays_readable("of old", [](const std::string& text) { return replaced(text, "\n", "\r"); });
    stays_readable("of a pager",
                   [](const std::string& text) { return replaced(text, "accept4(", "--More--(12%)\raccept4("); });
    stays_readable("shown", [](const std::string& text) { return replaced(text, "\n", "$\n"); });
    stays_readable("shown, with tabs", [](const std::string& text) {
        return lines_of(text, [](const std::string& line) { return "^I" + line + "^M$"; });
    });
}

TEST(Encoding, EscapedBracketsWithoutAnEscapedName)
{
    stays_readable("brackets",
                   [](const std::string& text) { return replaced(replaced(text, "[", "\\["), "{", "\\{"); });
}

TEST(Encoding, NumbersWithTheirNamesBehindThem)
{
    PastedAnswer judged = judge(
        times(150,
              "epoll_wait(9, [{events=0x2001 /* EPOLLIN|EPOLLRDHUP */, data={u32=31, u64=31}}], 512, -1) "
              "= 1\nrecvfrom(31, \"\", 4096, 0x40 /* MSG_DONTWAIT */, NULL, NULL) = 0\n"));
    EXPECT_GE(judged.level("EP203"), Level::kLikely) << judged.told;
    // Edge-triggered: the mask of epoll_ctl was read.
    judged = judge(
        "epoll_ctl(9, 0x1 /* EPOLL_CTL_ADD */, 31, {events=0x80000001 /* EPOLLIN|EPOLLET */, "
        "data={u32=31, u64=31}}) = 0\n" +
        times(150, "epoll_wait(9, [{events=0x1 /* EPOLLIN */, data={u32=31, u64=31}}], 512, -1) = 1\n"));
    EXPECT_TRUE(judged.quiet()) << judged.told;
    ASSERT_EQ(judged.lost, 0U);
}

// A line may be as long as a line may be.
TEST(Encoding, AnyNumberOfCallsOnOneLine)
{
    const std::string loop = replaced(kEndSpin, "\n", " ");
    PastedAnswer judged = judge(times(8000, loop) + "\n");
    EXPECT_GE(judged.level("EP203"), Level::kLikely) << judged.told;
    ASSERT_FALSE(judged.runs.empty());
    EXPECT_EQ(judged.runs[0].returns, 8000U);
    EXPECT_EQ(judged.lost, 0U);
}

// What the program does in the end says nothing about what it did before.
TEST(Encoding, ARunStandsWhateverComesAfterIt)
{
    for (const char* prose : {"", "Then I restarted it:\n"}) {
        PastedAnswer judged = judge(times(20, kWork) + times(150, kEndSpin) + prose + times(20, kWork));
        EXPECT_GE(judged.level("EP203"), Level::kLikely) << judged.told;
        judged = judge(times(150, kHup) + prose + "read(8, \"x\", 100) = 1\nwrite(8, \"y\", 1) = 1\n");
        EXPECT_GE(judged.level("EP204"), Level::kLikely) << judged.told;
    }
}

// Two processes in one log: what one reads is what it was told of by its own epoll.
TEST(Encoding, TheWorkOfOneProcessAnswersNothingOfAnother)
{
    PastedAnswer judged = judge(
        times(150,
              "4242 epoll_wait(4, [{EPOLLIN|EPOLLHUP, {u32=9, u64=9}}], 64, -1) = 1\n"
              "4243 epoll_wait(6, [{EPOLLIN, {u32=8, u64=8}}], 64, -1) = 1\n4243 read(8, \"x\", 10) = 1\n"));
    EXPECT_GE(judged.level("EP204"), Level::kLikely) << judged.told;
    EXPECT_FALSE(judged.has("EP202")) << judged.told;
}

// "Is it connected?" answers EPOLLOUT. It does nothing about an EPOLLHUP that stays.
TEST(Encoding, AskingForTheErrorAgainIsNoAnswerToAHangUp)
{
    auto log = [](const char* events) {
        return times(150, std::string("epoll_wait(4, [{") + events +
                              ", {u32=9, u64=9}}], 64, -1) = 1\n"
                              "getsockopt(9, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n");
    };
    EXPECT_GE(judge(log("EPOLLIN|EPOLLOUT|EPOLLERR|EPOLLHUP")).level("EP204"), Level::kLikely);
    EXPECT_TRUE(judge(log("EPOLLOUT")).quiet());
}

// One epoll for each of many threads. The few that a call concerns are found by its fd, also when some have gone.
TEST(ManyEpolls, EachIsJudgedByItself)
{
    for (int epolls : {3, 5, 64, 200}) {
        std::string log;
        auto work = [&](int i) {
            const std::string pid = fmt::format("[pid {}] ", 100 + i);
            const int fd = 300 + i;
            log += fmt::format("{}epoll_wait({}, [{{EPOLLIN, {{u32={}, u64={}}}}}], 512, -1) = 1\n", pid, 1000 + i, fd,
                               fd);
            log += fmt::format("{}recvfrom({}, \"GET /\", 2048, 0, NULL, NULL) = 5\n", pid, fd);
            log += fmt::format("{}sendto({}, \"200\", 3, 0, NULL, 0) = 3\n", pid, fd);
        };
        for (int turn = 0; turn < 150; turn++) {
            for (int i = 0; i < epolls; i++)
                work(i);
            log +=
                "[pid 99] epoll_wait(998, [{EPOLLIN|EPOLLRDHUP, {u32=31, u64=31}}], 512, -1) = 1\n"
                "[pid 99] recvfrom(31, \"\", 2048, 0, NULL, NULL) = 0\n";
            if (turn % 10 == 9 && turn < 100) {  // some go, and others come
                log += fmt::format("[pid {}] close({}) = 0\n", 100 + turn % epolls, 1000 + turn % epolls);
                log += fmt::format("[pid {}] epoll_create1(EPOLL_CLOEXEC) = {}\n", 100 + turn % epolls,
                                   1000 + turn % epolls);
            }
        }
        PastedAnswer judged = judge(log);
        EXPECT_GE(judged.level("EP203"), Level::kLikely) << epolls << "\n" << judged.told;
        EXPECT_FALSE(judged.has("EP202")) << epolls << "\n" << judged.told;
        uint64_t longest = 0;
        for (const LogRun& run : judged.runs) {
            EXPECT_EQ(run.fd, 31) << epolls;
            longest = std::max(longest, run.returns);
        }
        EXPECT_EQ(longest, 150U) << epolls;
    }
}

// The lines of one thread alone: whom it wakes is not there, and may be who reads.
TEST(Encoding, OneThreadOutOfALogOfMany)
{
    const std::string one =
        "[pid 81] epoll_wait(12, [{EPOLLIN, {u32=33, u64=33}}], 512, -1) = 1\n"
        "[pid 81] futex(0x7f0010, FUTEX_WAKE_PRIVATE, 1) = 1\n";
    PastedAnswer judged = judge(times(150, one));
    EXPECT_TRUE(judged.quiet()) << judged.told;
    // With the other one there, it is known that nobody reads.
    judged = judge("[pid 82] read(0, \"x\", 100) = 1\n" +
                   times(150, one + "[pid 82] futex(0x7f0010, FUTEX_WAIT_PRIVATE, 0, NULL) = 0\n"));
    EXPECT_GE(judged.level("EP202"), Level::kLikely) << judged.told;
}

}  // namespace
}  // namespace epaudit
