// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/place.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace epaudit {
namespace {

Finding with_frames(std::vector<Frame> frames)
{
    Finding finding;
    finding.exe = "/app/server";
    finding.stacks = {{"armed here", std::move(frames)}};
    return finding;
}

TEST(Place, InnermostFrameOfTheProject)
{
    const Finding finding = with_frames(
        {{"epoll_ctl", "../sysdeps/unix/syscall-template.S", 120, "/lib/x86_64-linux-gnu/libc.so.6"},
         {"std::function", "/usr/include/c++/12/bits/std_function.h", 590, "/app/server"},
         {"uv__io_poll", "/build/libuv1/src/unix/linux.c", 300, "/usr/lib/x86_64-linux-gnu/libuv.so.1"},
         {"watch", "/home/me/app/watch.cpp", 44, "/app/server"},
         {"main", "/home/me/app/main.cpp", 9, "/app/server"}});
    ASSERT_NE(guilty_frame(finding), nullptr);
    EXPECT_EQ(guilty_frame(finding)->function, "watch");
}

TEST(Place, NoProjectFrameNoLine)
{
    EXPECT_EQ(guilty_frame(Finding{}), nullptr);
    EXPECT_EQ(guilty_frame(with_frames({{"epoll_ctl", "", 0, "/lib/libc.so.6", 12}, {"?", "", 0, "/app/server", 99}})),
              nullptr);
    EXPECT_EQ(guilty_frame(with_frames({{"core", "/rustc/0123/library/std/src/io.rs", 3, "/app/server"}})), nullptr);
}

TEST(Place, AProgramInstalledBelowUsrLibIsItsOwnProject)
{
    Finding finding = with_frames({{"serve", "/build/postfix/src/serve.c", 7, "/usr/lib/postfix/sbin/master"}});
    finding.exe = "/usr/lib/postfix/sbin/master";
    ASSERT_NE(guilty_frame(finding), nullptr);
}

TEST(Place, TheFirstStackThatKnowsDecides)
{
    Finding finding = with_frames({{"?", "", 0, "/app/server", 1}});
    finding.stacks.push_back({"waits here", {{"loop", "loop.cpp", 3, "/app/server"}}});
    ASSERT_NE(guilty_frame(finding), nullptr);
    EXPECT_EQ(guilty_frame(finding)->function, "loop");
}

TEST(Place, PathsBelowTheWorkingDirectoryAreRelative)
{
    EXPECT_EQ(shown_path("/work/app/src/a.cpp", "/work/app"), "src/a.cpp");
    EXPECT_EQ(shown_path("/work/app/build/../src/a.cpp", "/work/app"), "src/a.cpp");
    EXPECT_EQ(shown_path("/work/apple/a.cpp", "/work/app"), "/work/apple/a.cpp");
    EXPECT_EQ(shown_path("/usr/src/a.cpp", "/work/app"), "/usr/src/a.cpp");
    EXPECT_EQ(shown_path("../src/a.cpp", "/work/app"), "../src/a.cpp");
    EXPECT_EQ(shown_path("/a.cpp", "/"), "/a.cpp");
    EXPECT_EQ(shown_path("/a.cpp", ""), "/a.cpp");
}

class Excerpt : public testing::Test {
protected:
    Excerpt()
    {
        directory_ = std::filesystem::temp_directory_path() / ("epaudit-place-" + std::to_string(getpid()));
        std::filesystem::create_directory(directory_);
    }
    ~Excerpt() override { std::filesystem::remove_all(directory_); }

    std::optional<SourceExcerpt> read(const std::string& text, int line)
    {
        std::ofstream(directory_ / "a.cpp") << text;
        return read_excerpt({"f", "a.cpp", line}, directory_.string());
    }

    std::filesystem::path directory_;
};

TEST_F(Excerpt, TheLineAndItsNeighbours)
{
    const auto found = read("one\ntwo\nthree\nfour\nfive\nsix\n", 4);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->first, 2);
    EXPECT_EQ(found->line, 4);
    EXPECT_EQ(found->lines, (std::vector<std::string>{"two", "three", "four", "five", "six"}));
}

TEST_F(Excerpt, AtTheEdges)
{
    EXPECT_EQ(read("one\ntwo", 1)->lines, (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(read("one\ntwo", 2)->first, 1);
}

TEST_F(Excerpt, NothingWhereThereIsNothing)
{
    EXPECT_FALSE(read("one\ntwo\n", 3)) << "shorter than the line: another version of the file";
    EXPECT_FALSE(read("one\ntwo\n", 0));
    EXPECT_FALSE(read(std::string("a\0b\n", 4), 1)) << "not text";
    EXPECT_FALSE(read_excerpt({"f", "no-such-file.cpp", 1}, directory_.string()));
    EXPECT_FALSE(read_excerpt({"f", "", 1}, directory_.string()));
    EXPECT_EQ(read(std::string(5000, 'x') + "\n", 1)->lines[0].size(), 400U);
}

}  // namespace
}  // namespace epaudit
