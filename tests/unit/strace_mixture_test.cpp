// SPDX-License-Identifier: Apache-2.0
// Several programs, or threads, in one log, and nothing that says whose line it is.
#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

std::string lines_of_pid(const std::string& pid, const std::string& text)
{
    std::string all;
    for (const std::string& line : split(text))
        all += "[pid " + pid + "] " + line + "\n";
    return all;
}

// Pids of two containers: an excerpt of nothing but waits, reads and writes, in which all numbers are equal.
TEST(StraceMixture, AStreamThatGoesOnBehindItsEndIsTwo)
{
    std::string text;
    for (unsigned i = 0; i < 300; i++)
        for (const std::string& loop : {kEndSpin, kWork, i % 3 ? kEndSpin : kWork})
            text += lines_of_pid("1", loop);
    EXPECT_TRUE(judge(text).mixed);
    EXPECT_TRUE(judge(text).quiet());
    // accept() and close() were not traced: each connection comes by an event of the listener.
    const std::string listener = "epoll_wait(9, [{EPOLLIN, {u32=3, u64=3}}], 64, -1) = 1\n";
    EXPECT_FALSE(judge(times(300, listener + kWork + kEndSpin)).mixed);
    // They were, by another thread of which the log knows.
    EXPECT_FALSE(judge(times(300, kWork + kEndSpin + "close(31) = 0\n")).mixed);
    // Messages of no bytes.
    const std::string datagram =
        "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nrecvfrom(31, \"{}\", 2048, 0, "
        "{sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr(\"10.0.0.1\")}, [16]) = {}\n";
    EXPECT_FALSE(judge(times(300, replaced(replaced(datagram, "= {}", "= 0"), "{}", "") +
                                      replaced(replaced(datagram, "= {}", "= 1"), "{}", "x")))
                     .mixed);
    // A few of them may be anything.
    EXPECT_FALSE(judge(times(5, kWork + kEndSpin)).mixed);
}

// Two files of strace -ff without their names: what one thread did about the events of the other stands behind them, or
// before.
TEST(StraceMixture, AnotherThreadsCallsInARow)
{
    const std::string told = "epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\nsched_yield() = 0\n";
    const std::string took = "read(7, \"PING\", 4096) = 4\nwrite(7, \"PONG\", 4) = 4\n";
    for (const std::string& text : {times(300, told) + times(300, took), times(300, took) + times(300, told)})
        EXPECT_TRUE(judge(text).quiet()) << judge(text).told;
    const std::string out = "epoll_wait(4, [{EPOLLOUT, {u32=7, u64=7}}], 64, -1) = 1\nsched_yield() = 0\n";
    EXPECT_TRUE(judge(times(300, out) + times(300, took)).quiet());
    // Reads in a row, and so much more that nobody took.
    const std::string drained = times(30, "read(7, \"PING\", 4096) = 4096\n");
    EXPECT_FALSE(judge(drained + times(300, told)).quiet());
    EXPECT_FALSE(judge(times(300, told) + drained).quiet());
    // Threads that are told apart.
    EXPECT_FALSE(judge(lines_of_pid("700", times(300, told)) + lines_of_pid("700", times(300, took))).quiet());
}

}  // namespace
}  // namespace epaudit
