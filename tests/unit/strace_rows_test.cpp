// SPDX-License-Identifier: Apache-2.0
// Runs of equal returns that end before the log does, and begin again: with what ends them, and what they add up to.
#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

std::string told(const std::string& events, const std::string& fd = "7")
{
    return "epoll_wait(4, [{" + events + ", {u32=" + fd + ", u64=" + fd + "}}], 64, -1) = 1\n";
}

std::string armed(const std::string& events, const std::string& fd = "7")
{
    return "epoll_ctl(4, EPOLL_CTL_ADD, " + fd + ", {" + events + ", {u32=" + fd + ", u64=" + fd + "}}) = 0\n";
}

const std::string kAccepted = "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 7\n";
const std::string kBorn = "epoll_create1(0) = 4\n" + kAccepted;
const std::string kNothingLeft = "read(7, \"\", 4096) = 0\n";
const std::string kAnswer = "read(7, \"PING\", 4096) = 4\nwrite(7, \"PONG\", 4) = 4\n";
const std::string kNoDescriptors = told("EPOLLIN", "6") +
                                   "accept4(6, NULL, NULL, 0) = -1 EMFILE (Too many open files)\n";

// A client that leaves at last is not what made the loop spin before.
TEST(StraceRows, WhatEndsARunIsNotWhatItIsAbout)
{
    for (const char* end : {"read(7, \"\", 4096) = 0\nclose(7) = 0\n",
                            "read(7, 0x7ffc, 4096) = -1 ECONNRESET (Connection reset by peer)\nclose(7) = 0\n"}) {
        const PastedAnswer judged = judge(kBorn + armed("EPOLLIN|EPOLLOUT") + kAnswer + times(300, told("EPOLLOUT")) +
                                          told("EPOLLIN|EPOLLOUT") + end);
        EXPECT_GE(judged.level("EP201"), Level::kLikely) << judged.told;
        EXPECT_FALSE(judged.has("EP203")) << judged.told;
    }
}

// A publisher whose clients ask now and then: between two requests it is told some forty times that it may write.
TEST(StraceRows, OutputThatStaysArmedBetweenRequests)
{
    const std::string round = times(40, told("EPOLLOUT")) + told("EPOLLIN|EPOLLOUT") + kAnswer;
    EXPECT_EQ(judge(kBorn + armed("EPOLLIN|EPOLLOUT") + times(20, round)).level("EP201"), Level::kLikely);
    // Four of them are no proof.
    EXPECT_TRUE(judge(kBorn + armed("EPOLLIN|EPOLLOUT") + times(4, round)).quiet());
    // Nor are any number, where it may be edge-triggered: a peer that reads makes news of its own.
    EXPECT_TRUE(judge(times(20, round)).quiet());
    // A writer that comes a turn later.
    const std::string late = times(3, told("EPOLLOUT")) + "write(7, \"x\", 1) = 1\n";
    EXPECT_TRUE(judge(kBorn + armed("EPOLLIN|EPOLLOUT") + times(300, late)).quiet());
}

// A timer closes connections whose end was ignored, and their number comes again.
TEST(StraceRows, EndsThatATimerClears)
{
    const std::string life = kAccepted + armed("EPOLLIN") + times(90, told("EPOLLIN") + kNothingLeft) +
                             "close(7) = 0\n";
    EXPECT_EQ(judge(kBorn + times(10, life)).level("EP203"), Level::kLikely);
    const std::string healthy = kAccepted + armed("EPOLLIN") + times(3, told("EPOLLIN") + kNothingLeft) +
                                "close(7) = 0\n";
    EXPECT_TRUE(judge(kBorn + times(300, healthy)).quiet());
}

TEST(StraceRows, DescriptorsThatComeFreeNowAndThen)
{
    const std::string freed = "close(9) = 0\n" + told("EPOLLIN", "6") + "accept4(6, NULL, NULL, 0) = 9\n";
    EXPECT_EQ(judge(times(8, times(60, kNoDescriptors) + freed)).level("EP205"), Level::kLikely);
    // One is kept to be given up for the connection that is turned away.
    const std::string spare = kNoDescriptors +
                              "close(5) = 0\naccept4(6, NULL, NULL, 0) = 5\nclose(5) = 0\n"
                              "openat(AT_FDCWD, \"/dev/null\", O_RDONLY) = 5\n";
    EXPECT_TRUE(judge(times(300, spare)).quiet());
}

// Registered anew in each turn is registered; taken off at last is over.
TEST(StraceRows, TakenOffAndPutBack)
{
    const std::string off = "epoll_ctl(4, EPOLL_CTL_DEL, 7, NULL) = 0\n";
    EXPECT_GE(judge(kBorn + armed("EPOLLIN") + times(300, told("EPOLLIN") + kNothingLeft + off + armed("EPOLLIN")))
                  .level("EP203"),
              Level::kLikely);
    const PastedAnswer over = judge(kBorn + armed("EPOLLIN") + times(20, told("EPOLLIN") + kAnswer) + told("EPOLLIN") +
                                    kNothingLeft + told("EPOLLIN") + off);
    ASSERT_FALSE(over.runs.empty());
    EXPECT_TRUE(over.runs[0].ended);
}

// That a connection is there is news once.
TEST(StraceRows, AskingAgainWhetherItIsConnected)
{
    const std::string made =
        "socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_IP) = 9\nconnect(9, {sa_family=AF_INET, "
        "sin_port=htons(80), sin_addr=inet_addr(\"10.0.0.1\")}, 16) = -1 EINPROGRESS (Operation now in progress)\n" +
        armed("EPOLLOUT", "9");
    const std::string asks = told("EPOLLOUT", "9") + "getsockopt(9, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n";
    const std::string writes = "write(5, \"x\", 1) = 1\n";
    EXPECT_GE(judge("epoll_create1(0) = 4\n" + writes + made + times(300, asks)).level("EP201"), Level::kLikely);
    EXPECT_TRUE(judge("epoll_create1(0) = 4\n" + writes + times(300, made + asks + "close(9) = 0\n")).quiet());
    EXPECT_TRUE(judge("epoll_create1(0) = 4\n" + made + times(300, asks + "write(9, \"x\", 1) = 1\n")).quiet());
}

}  // namespace
}  // namespace epaudit
