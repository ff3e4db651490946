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

}  // namespace
}  // namespace epaudit
