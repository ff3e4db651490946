// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/place.h"
#include "src/evidence/source_text.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
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

std::string guilty_of(std::vector<Frame> frames)
{
    const Finding finding = with_frames(std::move(frames));
    const Frame* frame = guilty_frame(finding);
    return frame ? frame->function : "-";
}

TEST(Place, WhatOnlyPassesTheCallOnIsSteppedOver)
{
    const Frame main{"main", "/app/main.c", 9, "/app/server"};
    for (const char* wrapper : {"ep_mod", "uv__io_poll", "aeApiAddEvent", "event_add", "Loop::epoll_mod(int, unsigned)",
                                "main.epollCtl", "server::Epoll::ctl", "epoll_nochangelist_add"}) {
        EXPECT_EQ(
            guilty_of({{wrapper, "/app/ep.c", 3, "/app/server"}, {"on_accept", "/app/a.c", 5, "/app/server"}, main}),
            "on_accept")
            << wrapper;
        EXPECT_EQ(guilty_of({{wrapper, "/app/ep.c", 3, "/app/server"}, {"__libc_start_main", "", 0, "/lib/libc.so.6"}}),
                  wrapper)
            << "nobody of the project called it";
    }
    for (const char* own : {"watch", "control", "ep_loop", "on_epoll_add_failed"})
        EXPECT_EQ(guilty_of({{own, "/app/ep.c", 3, "/app/server"}, main}), own);
}

TEST(Place, RuntimesAndPackagesAreNotTheProject)
{
    const std::string exe = "/app/server";
    EXPECT_EQ(guilty_of({{"syscall.EpollCtl", "/home/me/sdk/go1.22/src/syscall/zsyscall_linux_amd64.go", 337, exe},
                         {"internal/poll.(*FD).Init", "internal/poll/fd_unix.go", 1, exe},
                         {"main.arm", "/home/me/app/arm.go", 7, exe}}),
              "main.arm");
    EXPECT_EQ(guilty_of({{"processTimers", "node:internal/timers", 499, ""},
                         {"read", "/app/node_modules/x/index.js", 4, ""},
                         {"onRequest", "/app/server.js", 41, ""}}),
              "onRequest");
    Finding node = with_frames({{"uv_fs_read", "/home/iojs/build/deps/uv/src/unix/fs.c", 2000, "/usr/bin/node"},
                                {"refresh", "/app/server.js", 6, ""}});
    node.exe = "/usr/bin/node";
    ASSERT_NE(guilty_frame(node), nullptr);
    EXPECT_EQ(guilty_of({{"serve", "/app/serve.c", 3, "/app/python3-proxy"}}), "serve");
    EXPECT_EQ(guilty_of({{"PyEval", "/build/ceval.c", 3, "/usr/bin/python3.11"}}), "-");
    EXPECT_EQ(guilty_frame(node)->function, "refresh") << "what runs the program is not the program";
    EXPECT_EQ(guilty_of({{"_find_and_load", "<frozen importlib._bootstrap>", 1176, ""},
                         {"select", "/opt/py/lib/python3.12/selectors.py", 468, ""},
                         {"poll", "/app/venv/site-packages/x/loop.py", 5, ""},
                         {"serve", "/app/serve.py", 12, ""}}),
              "serve");
    EXPECT_EQ(guilty_of({{"mio::poll", "/home/me/.cargo/registry/src/x/mio-0.8/src/poll.rs", 12, exe},
                         {"server::arm", "src/main.rs", 3, exe}}),
              "server::arm");
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
        return excerpt("a.cpp", line);
    }

    std::optional<SourceExcerpt> excerpt(const std::string& file, int line,
                                         SourceText::From from = SourceText::From::kDirectory)
    {
        return SourceText(from, directory_.string()).excerpt({"f", file, line}, 0);
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
    EXPECT_FALSE(excerpt("no-such-file.cpp", 1));
    EXPECT_FALSE(excerpt("", 1));
    EXPECT_EQ(read(std::string(5000, 'x') + "\n", 1)->lines[0].size(), 400U);
}

TEST_F(Excerpt, OnlyWhatLiesBelowTheWorkingDirectory)
{
    const std::string outside = directory_.string() + "-outside";
    std::ofstream(outside) << "secret\n";
    std::filesystem::create_symlink(outside, directory_ / "link.cpp");
    std::filesystem::create_symlink("/", directory_ / "root");
    std::ofstream(directory_ / "a.cpp") << "mine\n";
    std::filesystem::create_symlink("a.cpp", directory_ / "alias.cpp");
    for (const std::string& name : {outside, "../" + std::filesystem::path(outside).filename().string(),
                                    std::string("link.cpp"), "root" + outside, std::string("/proc/self/environ")})
        EXPECT_FALSE(excerpt(name, 1)) << name;
    EXPECT_TRUE(excerpt("alias.cpp", 1));
    EXPECT_TRUE(excerpt((directory_ / "a.cpp").string(), 1));
    EXPECT_FALSE(excerpt("a.cpp", 1, SourceText::From::kNowhere));
    EXPECT_FALSE(SourceText(SourceText::From::kDirectory, "/").excerpt({"f", outside, 1}, 0))
        << "everything is below /";
    std::filesystem::remove(outside);
}

TEST_F(Excerpt, RootReadsForNobody)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "only root has rights to abuse";
    using From = SourceText::From;
    for (From from : {From::kDirectory, From::kCaller, From::kProcess})
        EXPECT_FALSE(excerpt("/etc/shadow", 1, from));
    EXPECT_FALSE(SourceText(From::kDirectory, "/etc").excerpt({"f", "/etc/shadow", 1}, 0))
        << "below it, and not for all";
    EXPECT_FALSE(SourceText(From::kProcess, "/tmp").excerpt({"f", "/etc/shadow", 1}, static_cast<uint32_t>(getpid())));
    // The caller of sudo reads what he may, and nothing else.
    setenv("SUDO_UID", "65534", 1);
    setenv("SUDO_GID", "65534", 1);
    EXPECT_FALSE(excerpt("/etc/shadow", 1, From::kCaller));
    EXPECT_TRUE(excerpt("/etc/passwd", 1, From::kCaller));
    std::ofstream(directory_ / "private.cpp") << "line\n";
    EXPECT_TRUE(excerpt("private.cpp", 1, From::kCaller));
    chmod((directory_ / "private.cpp").c_str(), 0600);
    EXPECT_FALSE(excerpt("private.cpp", 1, From::kCaller));
    unsetenv("SUDO_UID");
    unsetenv("SUDO_GID");
}

TEST_F(Excerpt, APipeIsNoSource)
{
    ASSERT_EQ(mkfifo((directory_ / "fifo.cpp").c_str(), 0666), 0);
    EXPECT_FALSE(excerpt("fifo.cpp", 1)) << "and it does not wait for a writer";
}

}  // namespace
}  // namespace epaudit
