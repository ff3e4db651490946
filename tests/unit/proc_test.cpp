// SPDX-License-Identifier: Apache-2.0
// A process chooses its own name, and must not be able to hide behind it.
#include "src/support/proc.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "src/support/clock.h"
#include "src/support/process.h"

namespace epaudit {
namespace {

std::string stat_of(const std::string& comm)
{
    return "4711 (" + comm +
           ") S 12 4711 4711 0 -1 4194560 100 0 0 0 70 30 0 0 20 0 1 0 987654 1000 200 18446744073709551615\n";
}

TEST(Proc, ANameHoldsAnything)
{
    for (const char* comm : {"server", "a\nb", "a b", ")", "x) Z 1 (", "(", ") S 1\n", ""}) {
        const auto stat = parse_proc_stat(stat_of(comm));
        ASSERT_TRUE(stat) << comm;
        EXPECT_EQ(stat->comm, comm);
        EXPECT_EQ(stat->state, 'S');
        EXPECT_EQ(stat->parent, 12U);
        EXPECT_EQ(stat->user_ticks, 70U);
        EXPECT_EQ(stat->system_ticks, 30U);
        EXPECT_EQ(stat->started_ticks, 987654U);
        EXPECT_TRUE(stat->running());
    }
}

TEST(Proc, TheFirstThreadMayEndBeforeTheOthers)
{
    auto with = [](const char* state, const char* threads) {
        return *parse_proc_stat(std::string("7 (a) ") + state + " 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 " + threads +
                                " 0 5 0 0");
    };
    EXPECT_TRUE(with("Z", "2").running());
    EXPECT_TRUE(with("Z", "2").first_thread_ended());
    EXPECT_FALSE(with("Z", "1").running());
    EXPECT_FALSE(with("X", "2").running());
    EXPECT_FALSE(with("S", "2").first_thread_ended());
}

TEST(Proc, AHandleIsOfOneProcessOnly)
{
    int hold[2];
    ASSERT_EQ(pipe(hold), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
    }
    const auto pid = static_cast<uint32_t>(child);
    auto by_descriptor = ProcessHandle::open(pid);
    ASSERT_TRUE(by_descriptor);
    auto by_start = ProcessHandle::open(pid, by_descriptor->started_ticks());
    ASSERT_TRUE(by_start);
    by_start->let_go();
    EXPECT_FALSE(ProcessHandle::open(pid, by_descriptor->started_ticks() + 1)) << "another one had this number";
    EXPECT_FALSE(by_descriptor->ended());
    EXPECT_FALSE(by_start->ended());
    close(hold[1]);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);  // a zombie
    EXPECT_TRUE(by_descriptor->ended());
    EXPECT_TRUE(by_start->ended());
    EXPECT_FALSE(ProcessHandle::open(pid));
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(by_descriptor->ended());
    EXPECT_TRUE(by_start->ended());
}

TEST(Proc, ATimeNamespaceSetsTheClockForwardOrBack)
{
    EXPECT_EQ(monotonic_offset_ns("monotonic      100000         5\nboottime            0         0\n"),
              100'000'000'000'005);
    EXPECT_EQ(monotonic_offset_ns("monotonic          -7         0\nboottime            0         0\n"),
              -7'000'000'000);
    EXPECT_EQ(monotonic_offset_ns(""), 0);
    EXPECT_EQ(monotonic_offset_ns("boottime 1 1\n"), 0);
}

TEST(Proc, WhatIsNoStatIsRefused)
{
    for (const char* text : {"", "1 (a", "1 a) S 1", "1 (a) S", "1 (a) SS 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
                             "1 (a) S x 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"})
        EXPECT_FALSE(parse_proc_stat(text)) << text;
}

TEST(Proc, AProcessWithANewlineInItsNameRuns)
{
    int ready[2], done[2];
    ASSERT_EQ(pipe(ready), 0);
    ASSERT_EQ(pipe(done), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(done[1]);
        prctl(PR_SET_NAME, "a) Z\n1 (b");
        char byte = 0;
        if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 0)
            _exit(1);
        _exit(0);
    }
    close(done[0]);
    char byte;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    const auto pid = static_cast<uint32_t>(child);
    const auto stat = read_proc_stat(pid);
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->comm, "a) Z\n1 (b");
    EXPECT_TRUE(stat->running());
    EXPECT_EQ(stat->parent, static_cast<uint32_t>(getpid()));
    EXPECT_EQ(read_comm(pid), "a) Z\n1 (b");
    EXPECT_EQ(process_of(pid), pid);
    close(done[1]);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
    const auto zombie = read_proc_stat(pid);
    EXPECT_TRUE(zombie && !zombie->running());
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(read_proc_stat(pid));
    EXPECT_EQ(process_of(pid), 0U);
    close(ready[0]);
    close(ready[1]);
}

TEST(Proc, AThreadLeadsToItsProcess)
{
    uint32_t process = 0;
    std::thread([&] { process = process_of(static_cast<uint32_t>(gettid())); }).join();
    EXPECT_EQ(process, static_cast<uint32_t>(getpid()));
}

}  // namespace
}  // namespace epaudit
