// SPDX-License-Identifier: Apache-2.0
// `epaudit strace`, from the log to what stands in the report: verdicts that prove nothing, and --coverage.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/cli/options.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

std::string times(unsigned count, const std::string& text)
{
    std::string all;
    while (count--)
        all += text;
    return all;
}

struct Outcome {
    int code = -1;
    std::string text, json;

    bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
    bool holds(const std::string& part) const { return json.find(part) != std::string::npos; }
};

class StraceCommand : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "/epaudit-strace-XXXXXX";
        ASSERT_TRUE(mkdtemp(pattern.data()));
        directory_ = pattern;
    }
    void TearDown() override { fs::remove_all(directory_); }

    static std::string text_of(const std::string& path)
    {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }

    Outcome judge(const std::string& log, bool coverage = false, const std::vector<std::string>& set = {}) const
    {
        StraceOptions options;
        options.path = directory_ + "/log";
        std::ofstream(options.path) << log;
        options.audit.no_config = true;
        options.audit.coverage = coverage;
        options.audit.set = set;
        options.audit.outputs = {{"text", directory_ + "/text"}, {"json", directory_ + "/json"}};
        auto code = strace_command(options);
        return {code ? *code : static_cast<int>(code.error().exit), text_of(directory_ + "/text"),
                text_of(directory_ + "/json")};
    }

    std::string directory_;
};

const std::string kHup = "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n";
const std::string kWork =
    "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nrecvfrom(31, \"GET /\", 2048, 0, NULL, NULL) = 5\n"
    "sendto(31, \"200\", 3, MSG_NOSIGNAL, NULL, 0) = 3\n";

TEST_F(StraceCommand, TooShortIsAnAnswer)
{
    const Outcome outcome = judge(times(99, kHup));
    EXPECT_EQ(outcome.code, 4);
    EXPECT_TRUE(outcome.says("fd 31 was reported 99 times in a row")) << outcome.text;
    EXPECT_TRUE(outcome.says("--set hup-err-spin.returns=50")) << outcome.text;
    EXPECT_TRUE(outcome.holds("too-short")) << outcome.json;
    EXPECT_EQ(judge(times(99, kHup), false, {"hup-err-spin.returns=50"}).code, 1);
    // What is a finding is not told as too short for one.
    const Outcome enough = judge(times(200, kHup));
    EXPECT_EQ(enough.code, 1);
    EXPECT_FALSE(enough.says("times in a row (")) << enough.text;
    EXPECT_EQ(judge(times(99, kWork)).code, 0);
}

// What the program met each time is said, and is worth telling after two turns.
TEST_F(StraceCommand, AShortRunSaysWhatWasDone)
{
    const std::string end = "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nread(31, \"\", 4096) = 0\n";
    const std::string full =
        "epoll_wait(9, [{EPOLLIN, {u32=3, u64=3}}], 512, -1) = 1\n"
        "accept(3, NULL, NULL) = -1 EMFILE (Too many open files)\n";
    for (unsigned turns : {2U, 4U, 20U}) {
        const Outcome eof = judge(times(turns, end));
        EXPECT_EQ(eof.code, 4) << eof.text;
        EXPECT_TRUE(eof.says("read = 0 each time")) << eof.text;
        const Outcome emfile = judge(times(turns, full));
        EXPECT_EQ(emfile.code, 4) << emfile.text;
        EXPECT_TRUE(emfile.says("accept = EMFILE each time")) << emfile.text;
        EXPECT_FALSE(emfile.says("nothing was done about it")) << emfile.text;
    }
    EXPECT_EQ(judge(times(50, kWork) + end + "close(31) = 0\n").code, 0);
    EXPECT_EQ(judge(times(50, kWork) + end).code, 0);
}

TEST_F(StraceCommand, EventsThatAreNotPrintedAreTheReason)
{
    const Outcome outcome = judge(times(200, "epoll_wait(9, [...], 64, -1) = 1\nread(31, \"\"..., 4096) = 9\n"));
    EXPECT_EQ(outcome.code, 4);
    EXPECT_TRUE(outcome.says("not printed in the log")) << outcome.text;
}

TEST_F(StraceCommand, WhatCannotBeToldOfALogIsSaidInItsWords)
{
    const Outcome outcome = judge(times(200, "epoll_wait(9, [{EPOLLIN, {u32=31\n"));
    EXPECT_FALSE(outcome.says("observe again")) << outcome.text;
    EXPECT_FALSE(outcome.says("kernel had")) << outcome.text;
    const Outcome one = judge(
        "7 epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n7 read(31, \"x\", 9) = 1\n");
    EXPECT_FALSE(one.says("1 events")) << one.text;
    EXPECT_FALSE(one.says("file fd")) << one.text;
}

TEST_F(StraceCommand, MixedProcessesAreInconclusive)
{
    const Outcome outcome = judge(times(100,
                                        "epoll_wait(4, [{EPOLLIN, {u32=5, u64=5}}], 64, -1) = 1\n"
                                        "read(5, \"\", 4096) = 0\n"
                                        "epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n"
                                        "read(7, \"x\", 4096) = 1\nclose(7) = 0\n"));
    EXPECT_EQ(outcome.code, 4) << outcome.text;
    EXPECT_TRUE(outcome.says("several threads or")) << outcome.text;
}

TEST_F(StraceCommand, MostEventsNotJudgedIsInconclusive)
{
    // Pointers as data, and no call on any descriptor: what was done about them is not in the log.
    std::string log;
    for (unsigned i = 0; i < 40; i++)
        log += "epoll_wait(9, [{EPOLLIN, {u32=1097811424, u64=9410383126" + std::to_string(1000 + i) +
               "}}], 512, -1) = 1\n";
    const Outcome outcome = judge(log);
    EXPECT_EQ(outcome.code, 4);
    EXPECT_TRUE(outcome.says("events could not be judged")) << outcome.text;
    EXPECT_TRUE(outcome.holds("unjudged")) << outcome.json;
    const Outcome mostly_work = judge(log + times(60, kWork));
    EXPECT_EQ(mostly_work.code, 0) << mostly_work.text;
}

// Four lines of an excerpt, and what was done about them is in none.
TEST_F(StraceCommand, AFewEventsThatNobodyAnsweredAreNoProof)
{
    const std::string told = "epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n";
    const Outcome bare = judge(times(4, told));
    EXPECT_EQ(bare.code, 4) << bare.text;
    EXPECT_TRUE(bare.says("3 of 3 events could not be judged")) << bare.text;
    EXPECT_EQ(judge(times(3, told + "read(7, \"x\", 64) = 1\n") + told).code, 0);
}

// One turn, or a program asleep, is no look at it. A life may be as short.
TEST_F(StraceCommand, OneTurnIsTooLittle)
{
    const std::string told = "epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n";
    const std::string born = "execve(\"./a\", [\"a\"], 0x7ffe /* 9 vars */) = 0\nepoll_create1(0) = 4\n";
    for (const std::string& log :
         {told, told + "read(7, \"\", 64) = 0\n", told + "read(7, \"x\", 64) = 1\n", told + told,
          told + "read(7, \"x\", 64) = 1\n" + told, std::string("strace: Process 4242 attached\nepoll_wait(4, \n")}) {
        const Outcome outcome = judge(log);
        EXPECT_EQ(outcome.code, 4) << log << outcome.text;
    }
    EXPECT_EQ(
        judge("7 epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n8 epoll_wait(5, [{EPOLLIN, {u32=7, u64=7}}], "
              "64, -1) = 1\n7 epoll_wait(6, [], 64, 9) = 0\n")
            .code,
        4)
        << "one return of each epoll";
    const std::string one_each =
        "epoll_create1(0) = 9\nepoll_ctl(9, EPOLL_CTL_ADD, 7, {EPOLLIN, {u32=7, u64=7}}) = 0\n"
        "epoll_wait(9, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\nread(7, \"x\", 64) = 1\nclose(9) = 0\n";
    EXPECT_EQ(judge(times(20, one_each)).code, 0) << "an epoll for each request, from beginning to end";
    EXPECT_EQ(judge(born + told + "read(7, \"x\", 64) = 1\nexit_group(0) = ?\n+++ exited with 0 +++\n").code, 0);
    EXPECT_EQ(judge(times(50, "epoll_wait(4, [], 64, 100) = 0\n")).code, 0);
}

// Whoever made a log public has made its numbers unreadable.
TEST_F(StraceCommand, EventsWhoseDataIsHiddenAreNotClean)
{
    const Outcome outcome = judge(
        times(100, "epoll_wait(9, [{EPOLLIN, {u32=X, u64=X}}], 512, -1) = 1\nread(31, \"\", 4096) = 0\n"));
    EXPECT_EQ(outcome.code, 4) << outcome.text;
}

// Spins that a client ends each time are none the less.
TEST_F(StraceCommand, AShortSpinThatIsOverIsNotClean)
{
    const std::string out = "epoll_wait(9, [{EPOLLIN|EPOLLOUT, {u32=31, u64=31}}], 512, -1) = 1\n";
    const std::string spin = times(40, "epoll_wait(9, [{EPOLLOUT, {u32=31, u64=31}}], 512, -1) = 1\n");
    const Outcome outcome = judge(times(5, kWork + spin));
    EXPECT_EQ(outcome.code, 4) << outcome.text;
    EXPECT_TRUE(outcome.says("(EPOLLOUT) and nothing was done about it")) << outcome.text;
    EXPECT_EQ(judge(times(50, kWork + out + "sendto(31, \"200\", 3, MSG_NOSIGNAL, NULL, 0) = 3\n")).code, 0);
}

// How long a connection has been deaf is what time stamps tell. That it is, the log shows.
TEST_F(StraceCommand, ARefusalThatNothingMadeUpForIsNotClean)
{
    const std::string refused =
        "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 8\n"
        "epoll_ctl(9, EPOLL_CTL_ADD, 8, {EPOLLIN, {u32=8, u64=8}}) = -1 ENOSPC (No space left on device)\n";
    const Outcome outcome = judge(refused + times(50, kWork));
    EXPECT_EQ(outcome.code, 4) << outcome.text;
    EXPECT_TRUE(outcome.says("epoll_ctl() of fd 8 failed with ENOSPC")) << outcome.text;
    EXPECT_EQ(judge(refused + "close(8) = 0\n" + times(50, kWork)).code, 0);
    EXPECT_EQ(judge(refused + "read(8, \"x\", 9) = 1\n" + times(50, kWork)).code, 0);
}

// strace -Z: reads and returns that succeeded are left out, and with them all that there is to be judged.
TEST_F(StraceCommand, ALogOfFailedCallsAloneIsInconclusive)
{
    const Outcome outcome = judge(
        times(20,
              "accept4(3, NULL, NULL, SOCK_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable)\n"
              "read(7, 0x7ffd, 4096) = -1 ECONNRESET (Connection reset by peer)\n") +
        "epoll_wait(4, 0x7ffd, 64, -1) = -1 EINTR (Interrupted system call)\n");
    EXPECT_EQ(outcome.code, 4) << outcome.text;
    EXPECT_TRUE(outcome.says("no call of this log succeeded")) << outcome.text;
}

TEST_F(StraceCommand, ALoopWhoseEpollWaitFailsIsNotClean)
{
    for (const char* error : {"EBADF (Bad file descriptor)", "EINVAL (Invalid argument)"}) {
        const std::string failed = "epoll_wait(4, 0x7ffd, 0, -1) = -1 " + std::string(error) + "\n";
        const Outcome outcome = judge(times(50, kWork) + times(200, failed));
        EXPECT_EQ(outcome.code, 4) << outcome.text;
        EXPECT_TRUE(outcome.says("epoll_wait() failed 200 times")) << outcome.text;
        EXPECT_EQ(judge(times(50, kWork) + failed).code, 0);
        EXPECT_EQ(judge(times(2, failed + "write(2, \"warning\\n\", 8) = 8\n")).code, 4) << "all that there are";
    }
    EXPECT_EQ(judge(times(50, kWork + "epoll_wait(9, 0x7ffd, 64, -1) = -1 EINTR (Interrupted system call)\n")).code, 0);
}

// Forty clients have left, each turn reads the end of each, and which event was whose is not printed.
TEST_F(StraceCommand, EndsThatAreReadAgainAndAgainAreNotClean)
{
    std::string turn = "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=1097811424, u64=94103831266784}}, ...], 64, -1) = 40\n";
    for (int fd = 20; fd < 60; fd++)
        turn += "recvfrom(" + std::to_string(fd) + ", \"\", 4096, 0, NULL, NULL) = 0\n";
    const Outcome outcome = judge(times(20, turn));
    EXPECT_EQ(outcome.code, 4) << outcome.text;
    const std::string broken = "write(20, \"x\", 1) = -1 EPIPE (Broken pipe)\n";
    std::string plain = turn;
    for (size_t at; (at = plain.find("recvfrom(")) != std::string::npos;)
        plain.replace(at, 9, "read(");
    for (size_t at; (at = plain.find(", 0, NULL, NULL)")) != std::string::npos;)
        plain.replace(at, 16, ")");
    EXPECT_EQ(judge(broken + times(20, plain)).code, 4);
    // Each is closed, and its number comes again.
    std::string closed;
    for (int fd = 20; fd < 60; fd++)
        closed += kWork + "recvfrom(" + std::to_string(fd) + ", \"\", 4096, 0, NULL, NULL) = 0\nclose(" +
                  std::to_string(fd) + ") = 0\n";
    EXPECT_EQ(judge(times(10, closed)).code, 0) << judge(times(10, closed)).text;
    // A file that may have grown is looked at in each turn.
    EXPECT_EQ(judge(times(200, kWork + "read(5, \"\", 4096) = 0\n")).code, 0);
}

// Data is an address, so that no event can be given to a descriptor. But a peer has gone, each time.
TEST_F(StraceCommand, EndsBesideWorkAreNotClean)
{
    const std::string two =
        "epoll_wait(4, [{EPOLLIN|EPOLLRDHUP, {u32=167, u64=94022020202151}}, {EPOLLIN, {u32=1687, "
        "u64=94022020203671}}], "
        "64, -1) = 2\n";
    const std::string none = "read(7, \"\", 4096) = 0\n", some = "read(8, \"x\", 4096) = 1\n";
    const Outcome ends = judge(times(150, two + none + some));
    EXPECT_EQ(ends.code, 4) << ends.text;
    EXPECT_TRUE(ends.says("fd 7 was read to its end 150 times in a row")) << ends.text;
    // A file that is followed is read to its end as well.
    const std::string work = "epoll_wait(4, [{EPOLLIN, {u32=1687, u64=94022020203671}}], 64, -1) = 1\n";
    EXPECT_EQ(judge(times(150, work + none + some)).code, 0);
    // The last of it is read after the peer has gone.
    EXPECT_EQ(judge(times(150, two + "read(7, \"y\", 4096) = 4096\n" + some)).code, 0);
}

// Read as calls are some of them only: to call the rest clean would be to have looked away.
TEST_F(StraceCommand, LinesThatNameEpollWaitAndCannotBeReadAreNotClean)
{
    const std::string odd = "Xepoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n";
    const Outcome some = judge(times(60, kWork) + times(20, odd));
    EXPECT_EQ(some.code, 4) << some.text;
    EXPECT_TRUE(some.says("20 lines name epoll_wait() in a form that cannot be read")) << some.text;
    const Outcome prose = judge("Here epoll_wait() = 1 each time, and epoll_wait(epfd, events, 64, -1) = 1, too.\n" +
                                times(60, kWork));
    EXPECT_EQ(prose.code, 0) << prose.text;
}

TEST_F(StraceCommand, WhatALogCannotShowIsOneLineUnlessAskedFor)
{
    const Outcome brief = judge(times(99, kWork));
    EXPECT_TRUE(brief.says("--coverage")) << brief.text;
    EXPECT_FALSE(brief.says("EP302")) << brief.text;
    const Outcome full = judge(times(99, kWork), true);
    EXPECT_FALSE(full.says("--coverage")) << full.text;
    for (const char* rule : {"EP102", "EP302", "EP502"})
        EXPECT_TRUE(full.says(rule)) << rule << "\n" << full.text;
}

TEST_F(StraceCommand, WhatIsOnlyArmedAgainIsNotClean)
{
    const std::string hup =
        "epoll_wait(4, [{EPOLLHUP, {u32=27, u64=27}}], 8, 8547) = 1\n"
        "epoll_ctl(4, EPOLL_CTL_MOD, 27, {EPOLLIN|EPOLLONESHOT, {u32=27, u64=27}}) = 0\n";
    const Outcome outcome = judge(times(4, hup));
    EXPECT_EQ(outcome.code, 4) << outcome.text;
    EXPECT_TRUE(outcome.says("fd 27 was reported 4 times in a row (EPOLLHUP)")) << outcome.text;
    const std::string full =
        "epoll_wait(4, [{EPOLLIN, {u32=4008920096, u64=94304310871072}}], 32, 5000) = 1\n"
        "accept(6, NULL, NULL) = -1 EMFILE (Too many open files)\n";
    EXPECT_TRUE(judge(times(3, full)).says("accept = EMFILE each time"));
}

}  // namespace
}  // namespace epaudit
