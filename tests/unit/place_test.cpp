// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/place.h"
#include "src/evidence/fingerprint.h"
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

const std::string kServer = "/app/server";

Frame at(const char* function, int line, const char* file = "/app/server.c") { return {function, file, line, kServer}; }

// As gdb shows a stack of a C program: libc below, the start of the program above.
Stack armed(std::vector<Frame> own)
{
    own.insert(own.begin(),
               {"epoll_ctl", "../sysdeps/unix/syscall-template.S", 120, "/lib/x86_64-linux-gnu/libc.so.6"});
    own.push_back({"__libc_start_main", "", 0, "/lib/x86_64-linux-gnu/libc.so.6"});
    return {"armed here", std::move(own)};
}

std::string helpers_of(const std::vector<Stack>& stacks, const std::string& directory = "")
{
    std::vector<const Stack*> pointers;
    for (const Stack& stack : stacks)
        pointers.push_back(&stack);
    std::string names;
    for (const Helper& helper : helpers_among(pointers, kServer, directory))
        names += (names.empty() ? "" : " ") + helper.function;
    return names;
}

TEST(Place, AHelperIsWhatAllCallsComeThrough)
{
    const Stack listener = armed({at("watch_fd", 8), at("main", 40)});
    const Stack client = armed({at("watch_fd", 8), at("on_accept", 21), at("main", 44)});
    EXPECT_EQ(helpers_of({listener, client}), "watch_fd");
    EXPECT_EQ(helpers_of({listener}), "") << "one caller: it may be that nobody else ever calls";
    EXPECT_EQ(helpers_of({client, client}), "");
    EXPECT_EQ(helpers_of({listener, client, armed({at("main", 60)})}), "") << "not all calls come through it";
    EXPECT_EQ(helpers_of({armed({at("watch_fd", 8), at("main", 40)}), armed({at("watch_fd", 8), at("main", 52)})}),
              "watch_fd")
        << "two lines of one function";
    EXPECT_EQ(helpers_of({armed({at("on_event", 8), at("main", 40)}), armed({at("on_event", 9), at("main", 40)})}), "")
        << "two lines of the function itself, and one caller";
    EXPECT_EQ(helpers_of({armed({at("main", 40)}), armed({at("main", 50)})}), "") << "nobody called main";
    EXPECT_EQ(helpers_of({armed({at("work", 4)}), armed({at("work", 4), at("main", 9)})}), "")
        << "also begun by a thread";
    EXPECT_EQ(helpers_of({listener, armed({at("watch_fd", 8, "/app/other.c"), at("on_accept", 21)})}), "")
        << "another function of that name";
    EXPECT_EQ(helpers_of({listener, client, {"armed here", {{"uv_loop_init", "", 0, "/usr/lib/libuv.so.1"}}}}),
              "watch_fd")
        << "what a library does for itself says nothing";
}

TEST(Place, HelpersInLayers)
{
    EXPECT_EQ(helpers_of({armed({at("arm", 3), at("set_interest", 9), at("open_a", 20), at("main", 30)}),
                          armed({at("arm", 3), at("set_interest", 9), at("open_b", 25), at("main", 31)})}),
              "arm set_interest");
    EXPECT_EQ(helpers_of({armed({at("ep_mod", 3), at("set_interest", 9), at("open_a", 20), at("main", 30)}),
                          armed({at("ep_mod", 4), at("set_interest", 11), at("open_b", 25), at("main", 31)})}),
              "set_interest")
        << "the first is known by its name";
}

TEST(Place, TheCallerOfAHelperIsGuiltyAndTheFingerprintStays)
{
    Finding finding;
    finding.rule = "EP201";
    finding.exe = kServer;
    finding.stacks = {armed({at("watch_fd", 8), at("on_accept", 21), at("main", 44)}),
                      {"last read here", {at("watch_fd", 12), at("main", 50)}}};
    EXPECT_EQ(guilty_place(finding).frame->function, "watch_fd");
    EXPECT_EQ(guilty_place(finding).helper, nullptr);
    const std::string before = fingerprint(finding);
    finding.stacks[0].helpers = {{"watch_fd", "/app/server.c"}};
    EXPECT_EQ(guilty_place(finding).frame->function, "on_accept");
    EXPECT_EQ(guilty_place(finding).helper->line, 8);
    EXPECT_EQ(fingerprint(finding), before) << "whether a second caller was seen may not decide";
    finding.stacks.erase(finding.stacks.begin());
    EXPECT_EQ(guilty_place(finding).frame->function, "watch_fd") << "a read is its own";
}

TEST(Place, BelowTheWorkingDirectory)
{
    Finding finding = with_frames({{"add_watch", "/opt/src/libloop/loop.c", 3, "/app/libloop.so"},
                                   {"on_accept", "/home/me/app/src/server.c", 21, "/app/server"},
                                   {"main", "/home/me/app/src/server.c", 44, "/app/server"}});
    EXPECT_EQ(guilty_frame(finding)->function, "add_watch");
    const std::string before = fingerprint(finding);
    for (const char* one : {"/home/me/app", "/home/me/app/", "/home/me"}) {
        finding.directory = one;
        EXPECT_EQ(guilty_frame(finding)->function, "on_accept") << one;
        EXPECT_EQ(fingerprint(finding), before) << "from where a program is started may not decide";
    }
    for (const char* nothing : {"", "/", "/home", "/home/me/ap", "/opt", "/tmp", "/home/me/app/src/server.c/x"}) {
        finding.directory = nothing;
        EXPECT_EQ(guilty_frame(finding)->function, "add_watch") << nothing;
    }
}

TEST(Place, ImagesOfContainersHaveProgramsBelowUsrSrc)
{
    Finding finding = with_frames({{"processTimers", "node:internal/timers", 499, ""},
                                   {"read", "/usr/src/app/node_modules/x/index.js", 4, ""},
                                   {"onRequest", "/usr/src/app/server.js", 41, ""}});
    EXPECT_EQ(guilty_frame(finding), nullptr);
    const std::string unknown = fingerprint(finding);
    finding.directory = "/usr/src/app";
    ASSERT_NE(guilty_frame(finding), nullptr);
    EXPECT_EQ(guilty_frame(finding)->function, "onRequest");
    EXPECT_NE(fingerprint(finding), unknown) << "where nothing else names a function";
    finding.directory = "/usr/src";
    EXPECT_EQ(guilty_frame(finding), nullptr);
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
