// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "src/strace/arguments.h"
#include "src/strace/calls.h"
#include "src/strace/clock.h"
#include "src/strace/line.h"
#include "src/strace/values.h"

namespace epaudit {
namespace {

using Kind = LogLine::Kind;

TEST(StraceLine, ReadsEveryLeader)
{
    struct {
        const char* text;
        uint32_t pid;
        TimeForm form;
        uint64_t time;
    } cases[] = {
        {"close(3) = 0", 0, TimeForm::kNone, 0},
        {"1234  close(3) = 0", 1234, TimeForm::kNone, 0},
        {"[pid  1234] close(3) = 0", 1234, TimeForm::kNone, 0},
        {"[pid 1234<nginx>] 12:34:56 close(3) = 0", 1234, TimeForm::kSeconds, 45296ULL * NSEC_PER_SEC},
        {"1234<a b> 12:34:56.000007 close(3) = 0", 1234, TimeForm::kDay, 45296ULL * NSEC_PER_SEC + 7000},
        {"1795242679.634150 close(3) = 0", 0, TimeForm::kEpoch, 1795242679634150000ULL},
        {"77 1795242679.634150 close(3) = 0", 77, TimeForm::kEpoch, 1795242679634150000ULL},
        {"77 1795242679 close(3) = 0", 77, TimeForm::kEpochSeconds, 1795242679ULL * NSEC_PER_SEC},
        {"     0.000123 close(3) = 0", 0, TimeForm::kRelative, 123000},
        {"9 12:34:56 (+     0.000012) close(3) = 0", 9, TimeForm::kSeconds, 45296ULL * NSEC_PER_SEC},
        {"12:34:56 [00007f2b6a3f1000] [   3] close(3) = 0", 0, TimeForm::kSeconds, 45296ULL * NSEC_PER_SEC},
        {"> [pid 5] close(3) = 0", 5, TimeForm::kNone, 0},
    };
    for (const auto& c : cases) {
        LogLine line = parse_line(c.text);
        EXPECT_EQ(line.kind, Kind::kCall) << c.text;
        EXPECT_EQ(line.pid, c.pid) << c.text;
        EXPECT_EQ(line.form, c.form) << c.text;
        EXPECT_EQ(line.time, c.time) << c.text;
        EXPECT_EQ(line.name, "close") << c.text;
        EXPECT_EQ(line.rest, "3) = 0") << c.text;
    }
}

TEST(StraceLine, TellsKindsApart)
{
    EXPECT_EQ(parse_line("7 epoll_wait(4,  <unfinished ...>").kind, Kind::kUnfinished);
    EXPECT_EQ(parse_line("7 epoll_wait(4,  <unfinished ...>").rest, "4,  ");
    EXPECT_EQ(parse_line("epoll_wait(4,  <detached ...>").kind, Kind::kUnfinished);
    LogLine resumed = parse_line("7 <... epoll_wait resumed> [], 64, 5) = 0");
    EXPECT_EQ(resumed.kind, Kind::kResumed);
    EXPECT_EQ(resumed.name, "epoll_wait");
    EXPECT_EQ(resumed.rest, "[], 64, 5) = 0");
    EXPECT_EQ(parse_line("--- SIGCHLD {si_signo=SIGCHLD} ---").kind, Kind::kSignal);
    EXPECT_EQ(parse_line("7 +++ exited with 0 +++").kind, Kind::kExited);
    EXPECT_EQ(parse_line("7 +++ superseded by execve in pid 9 +++").kind, Kind::kReplaced);
    EXPECT_EQ(parse_line("strace: Process 9 attached").kind, Kind::kMessage);
    EXPECT_EQ(parse_line(" > /lib/libc.so.6(read+0x4e) [0x10f8ae]").kind, Kind::kStack);
    EXPECT_EQ(parse_line("").kind, Kind::kEmpty);
    for (const char* noise : {"hello", "$ strace ls", "[warn] x(1)", "(", "12", "12:34", "[pid ", "<... x"})
        EXPECT_EQ(parse_line(noise).refusal, Refusal::kNoCall) << noise;
}

PrintedResult result_of(const char* text)
{
    PrintedResult result;
    EXPECT_TRUE(Arguments(text).result(result)) << text;
    return result;
}

TEST(StraceArguments, ReadsResults)
{
    EXPECT_EQ(result_of("3, \"a) = 5\", 4) = 4").value, 4);
    EXPECT_EQ(result_of("3) = -1 EAGAIN (Resource temporarily unavailable) <0.000012>").value, -11);
    EXPECT_EQ(result_of("3) = -1 EAGAIN (Resource temporarily unavailable) <0.000012>").duration, 12000);
    EXPECT_EQ(result_of("3) = -1 ENEWERRNO (Unheard of)").value, -4095);
    EXPECT_EQ(result_of("4, [], 9, 5) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)").value, -512);
    EXPECT_FALSE(result_of("0) = ?").known);
    EXPECT_EQ(result_of("3, F_GETFL)    = 0x802 (flags O_RDWR|O_NONBLOCK)").value, 0x802);
    EXPECT_EQ(result_of("3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)").note, "(flags O_RDWR|O_NONBLOCK)");
    PrintedResult accepted = result_of("3<TCP:[1.2.3.4:80]>, NULL, NULL) = 7<TCP:[1.2.3.4:80->5.6.7.8:9]> <1.5>");
    EXPECT_EQ(accepted.value, 7);
    EXPECT_EQ(accepted.decoration, "TCP:[1.2.3.4:80->5.6.7.8:9]");
    EXPECT_EQ(accepted.duration, 1500000000);
    PrintedResult none;
    for (const char* cut : {"", "3", "3, \"abc", "3)", "3) =", "3) = ", "3) = x", "3, {a"})
        EXPECT_FALSE(Arguments(cut).result(none)) << cut;
}

TEST(StraceArguments, StepsOverStringsBracketsAndDecorations)
{
    Arguments a(R"(7</tmp/a<char 5:0>>, "q\"),", [{a=1, b=[2, 3]}], A|B, 1<<3, /* 2 vars */ 9) = 0)");
    PrintedFd fd;
    EXPECT_TRUE(a.fd(fd));
    EXPECT_EQ(fd.number, 7);
    EXPECT_EQ(fd.decoration, "/tmp/a<char 5:0>");
    EXPECT_EQ(a.raw(), R"("q\"),")");
    EXPECT_EQ(a.raw(), "[{a=1, b=[2, 3]}]");
    EXPECT_EQ(a.raw(), "A|B");
    EXPECT_EQ(a.raw(), "1<<3");
    EXPECT_EQ(a.raw(), "/* 2 vars */ 9");
    EXPECT_EQ(a.raw(), "");
}

TEST(StraceValues, ReadsEverySpellingOfAnEvent)
{
    PrintedEvent e;
    for (const char* text :
         {"{EPOLLIN|EPOLLET, {u32=5, u64=5}}", "{events=EPOLLIN|EPOLLET, data={u32=5, u64=5}}",
          "{events=EPOLLIN|EPOLLET, data=0x5}", "{EPOLLIN|EPOLLET, {u64=5}}", "{events=0x80000001, data=5}"}) {
        ASSERT_TRUE(parse_event(text, e)) << text;
        EXPECT_EQ(e.events, EV_IN | EV_ET) << text;
        EXPECT_TRUE(e.data_known) << text;
        EXPECT_EQ(e.data, 5U) << text;
    }
    ASSERT_TRUE(parse_event("{EPOLLOUT, {u32=5, ...}}", e));
    EXPECT_FALSE(e.data_known);
    ASSERT_TRUE(parse_event("{EPOLLOUT, ...}", e));
    EXPECT_FALSE(e.data_known);
    EXPECT_TRUE(parse_event("{0, {u32=5, u64=5}}", e));
    EXPECT_EQ(e.events, 0U);
    EXPECT_TRUE(parse_event("{EPOLLIN|0x1000 /* EPOLL??? */, {u32=5, u64=5}}", e));
    EXPECT_EQ(e.events, 0x1001U);
    for (const char* text : {"NULL", "0x7ffd1234", "...", "{}", "{POLLIN, 1}", "{"})
        EXPECT_FALSE(parse_event(text, e)) << text;
}

TEST(StraceValues, ReadsDecorations)
{
    EXPECT_EQ(kind_of_decoration("TCP:[10.0.0.1:80->192.0.2.7:5]"), FILE_TCP);
    EXPECT_EQ(kind_of_decoration("UNIX-STREAM:[1->2,\"/run/x\"]"), FILE_UNIX);
    EXPECT_EQ(kind_of_decoration("anon_inode:[eventfd]"), FILE_EVENTFD);
    EXPECT_EQ(kind_of_decoration("anon_inode:inotify"), FILE_OTHER);
    EXPECT_EQ(kind_of_decoration("socket:[12]"), FILE_SOCKET);
    EXPECT_EQ(kind_of_decoration("/etc/passwd"), FILE_OTHER);
    EXPECT_EQ(kind_of_decoration(""), FILE_UNKNOWN);
    socket_name name{};
    ASSERT_TRUE(name_of_decoration("TCP:[10.0.0.1:80->192.0.2.7:50312]", name));
    EXPECT_EQ(name.local_port, 80);
    EXPECT_EQ(name.peer_port, 50312);
    EXPECT_EQ(name.peer[0], 192);
    ASSERT_TRUE(name_of_decoration("TCPv6:[[::1]:80]", name));
    EXPECT_EQ(name.local[15], 1);
    EXPECT_FALSE(name_of_decoration("TCP:[123]", name));
}

TEST(StraceClock, GoesOnOverMidnightAndNeverBack)
{
    LogClock clock;
    uint64_t start = clock.at(parse_line("23:59:59.900000 close(3) = 0"));
    EXPECT_EQ(clock.at(parse_line("00:00:00.100000 close(3) = 0")), start + 200 * NSEC_PER_MSEC);
    EXPECT_EQ(clock.at(parse_line("00:00:00.099000 close(3) = 0")), start + 200 * NSEC_PER_MSEC);
    EXPECT_EQ(clock.at(parse_line("00:00:00.300000 close(3) = 0")), start + 400 * NSEC_PER_MSEC);
    EXPECT_TRUE(clock.known());
    EXPECT_FALSE(clock.coarse());
    LogClock untimed;
    uint64_t first = untimed.at(parse_line("close(3) = 0"));
    EXPECT_GT(untimed.at(parse_line("close(3) = 0")), first);
    EXPECT_FALSE(untimed.known());
}

TEST(StraceCalls, KnowsWhatTheProbesKnow)
{
    EXPECT_EQ(call_by_name("epoll_pwait2"), CALL_EPOLL_PWAIT2);
    EXPECT_EQ(call_by_name("recvmmsg"), CALL_RECVMMSG);
    EXPECT_EQ(call_by_name("clock_gettime"), LOG_EVERYDAY);
    EXPECT_EQ(call_by_name("epoll_wai"), CALL_NONE);
    EXPECT_EQ(call_by_name(""), CALL_NONE);
}

}  // namespace
}  // namespace epaudit
