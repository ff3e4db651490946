// SPDX-License-Identifier: Apache-2.0
// What the logs of the museum (tests/history) showed to be judged wrongly.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

// Lines as strace -f -ttt -T -o FILE writes them, 100 us apart.
class Lines {
public:
    Lines() : auditor_(Profile::kTest, make_rules()), log_(auditor_, 1024) {}

    Lines& line(uint32_t tid, const std::string& text, uint64_t us = 100)
    {
        us_ += us;
        log_.line(fmt::format("{} {}.{:06} {}", tid, us_ / 1000000, us_ % 1000000, text));
        return *this;
    }

    Lines& told(uint32_t tid, const std::string& data, int times = 200)
    {
        for (int i = 0; i < times; i++)
            line(tid, fmt::format("epoll_wait(4, [{{events=EPOLLIN, data={}}}], 64, 1000) = 1 <0.000010>", data));
        return *this;
    }

    std::string verdict()
    {
        log_.finish();
        std::string out;
        for (const Finding& finding : auditor_.findings())
            if (finding.level >= Level::kLikely && out.find(finding.rule) == std::string::npos)
                out += (out.empty() ? "" : ", ") + finding.rule;
        return out.empty() ? "none" : out;
    }

private:
    Auditor auditor_;
    StraceImport log_;
    uint64_t us_ = 1'700'000'000'000'000;
};

// An accepted connection that another process still has (the sender of a descriptor, a child not in the log): its
// worker closes it, and is told of it again and again.
Lines& closed_and_told(Lines& l, uint32_t closer = 100)
{
    l.line(100, "epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>");
    l.line(100, "epoll_ctl(4, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data={u32=6, u64=6}}) = 0 <0.000010>");
    l.told(100, "{u32=6, u64=6}", 1);
    l.line(100, "read(6, \"\", 64) = 0 <0.000010>");
    l.line(closer, "close(6) = 0 <0.000010>");
    return l;
}

TEST(StraceMuseum, ToldAfterItsCloseIsAGhost)
{
    Lines l;
    EXPECT_EQ(closed_and_told(l).told(100, "{u32=6, u64=6}").verdict(), "EP303");
}

TEST(StraceMuseum, TheSameDataRegisteredAnewIsNone)
{
    Lines l;
    closed_and_told(l)
        .line(100, "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 6 <0.000010>")
        .line(100, "epoll_ctl(4, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data={u32=6, u64=6}}) = 0 <0.000010>")
        .told(100, "{u32=6, u64=6}");
    EXPECT_EQ(l.verdict().find("EP303"), std::string::npos);  // whatever it is, it is the new connection's
}

// Without the fork in the log two processes look like two threads: the other one's 6 may be another file.
TEST(StraceMuseum, ClosedBySomebodyElseProvesNothing)
{
    Lines l;
    EXPECT_EQ(closed_and_told(l, 200).told(100, "{u32=6, u64=6}").verdict().find("EP303"), std::string::npos);
}

// Server 100 and its client 200, cut from a log after the fork: both have a 15, the client's blocks.
std::string slow_read(bool one_process)
{
    Lines l;
    if (one_process)
        l.line(100, "clone(child_stack=0x7f1, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD) = 200 <0.000050>");
    l.line(100, "epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>");
    if (!one_process)
        l.line(100, "accept4(3, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK) = 15 <0.000010>");
    l.line(200, "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 15 <0.000010>");
    l.line(100, "epoll_ctl(4, EPOLL_CTL_ADD, 15, {events=EPOLLIN|EPOLLET, data={u32=15, u64=15}}) = 0 <0.000010>");
    for (int i = 0; i < 3; i++) {
        l.told(100, "{u32=15, u64=15}", 1);
        l.line(100, "read(15,  <unfinished ...>").line(200, "write(15, \"dummy\", 5) = 5 <0.000010>", 20000);
        l.line(100, "<... read resumed>\"dummy\", 64) = 5 <0.020000>");
    }
    return l.verdict();
}

TEST(StraceMuseum, BlockingIsWhatItsOwnProcessMadeIt)
{
    EXPECT_EQ(slow_read(false), "none");
    EXPECT_EQ(slow_read(true), "EP103");
}

// An epoll (5) in an epoll (4), and a pipe (6) in the inner one.
Lines& nested(Lines& l)
{
    l.line(100, "execve(\"./server\", [\"server\"], 0x7ffc /* 10 vars */) = 0 <0.000100>");
    l.line(100, "brk(NULL) = 0x55d000 <0.000010>");
    l.line(100, "epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>");
    l.line(100, "epoll_create1(EPOLL_CLOEXEC) = 5 <0.000010>");
    l.line(100, "pipe2([6, 7], O_NONBLOCK) = 0 <0.000010>");
    l.line(100, "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=5, u64=5}}) = 0 <0.000010>");
    return l.line(100, "epoll_ctl(5, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data={u32=6, u64=6}}) = 0 <0.000010>");
}

// sansshell: a file is looked at again at each turn, and what tells of its growth (here 7) is never read. The excerpt does not
// say what is registered; the file is not: no stream is read at a position.
TEST(StraceMuseum, WhatIsReadAtAPositionIsNotWhatWasReported)
{
    Lines l;
    for (int i = 0; i < 150; i++) {
        l.line(100, "pread64(6, \"\", 4096, 8) = 0 <0.000010>");
        l.line(100, "epoll_wait(8, [{events=EPOLLIN, data={u32=7, u64=7}}], 1, -1) = 1 <0.000010>");
    }
    EXPECT_NE(l.verdict(), "EP203");
}

TEST(StraceMuseum, AnInnerEpollThatNobodyAsks)
{
    Lines l;
    EXPECT_EQ(nested(l).told(100, "{u32=5, u64=5}", 20000).verdict(), "EP202");
}

TEST(StraceMuseum, AnInnerEpollWhoseOnlyFileIsReadDirectly)
{
    Lines l;
    nested(l);
    for (int i = 0; i < 10000; i++)
        l.told(100, "{u32=5, u64=5}", 1).line(100, "read(6, \"x\", 1) = 1 <0.000010>");
    EXPECT_EQ(l.verdict(), "none");
}

TEST(StraceMuseum, AnInnerEpollThatIsAsked)
{
    Lines l;
    nested(l);
    for (int i = 0; i < 10000; i++)
        l.told(100, "{u32=5, u64=5}", 1)
            .line(100, "epoll_wait(5, [{events=EPOLLIN, data={u32=6, u64=6}}], 64, 0) = 1 <0.000010>")
            .line(100, "read(6, \"x\", 1) = 1 <0.000010>");
    EXPECT_EQ(l.verdict(), "none");
}

// Attached in the middle: what is registered is not in the log. A turn is a return and the calls after it.
std::string after_turns(std::initializer_list<const char*> calls, int turns = 300)
{
    Lines l;
    l.line(100, "read(3, \"x\", 64) = 1 <0.000010>").line(100, "recvfrom(3, \"x\", 64, 0, NULL, NULL) = 1 <0.000010>");
    for (int i = 0; i < turns; i++)
        for (const char* call : calls)
            l.line(100, call);
    return l.verdict();
}

TEST(StraceMuseum, AnErrorThatIsTakenEachTime)
{
    const char* told = "epoll_wait(4, [{events=EPOLLERR, data={u32=7, u64=7}}], 64, -1) = 1 <0.000010>";
    EXPECT_EQ(
        after_turns(
            {told, "recvmsg(7, {msg_namelen=0}, MSG_ERRQUEUE) = 64 <0.000010>",
             "recvmsg(7, {msg_namelen=0}, MSG_ERRQUEUE) = -1 EAGAIN (Resource temporarily unavailable) <0.000010>"}),
        "none")
        << "timestamps, MSG_ZEROCOPY";
    EXPECT_EQ(after_turns({"sendto(7, \"q\", 1, 0, NULL, 0) = 1 <0.000010>", told,
                           "recvfrom(7, 0x7ffc, 64, 0, NULL, NULL) = -1 ECONNREFUSED (Connection refused) <0.000010>"}),
              "none")
        << "nobody listens on the other side of a UDP socket";
    EXPECT_EQ(
        after_turns(
            {told, "recvfrom(7, 0x7ffc, 64, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable) <0.000010>"}),
        "EP204");
}

TEST(StraceMuseum, ADeviceThatIsServedByIoctl)
{
    const char* told = "epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 64, -1) = 1 <0.000010>";
    EXPECT_EQ(after_turns({told, "ioctl(7, VIDIOC_DQBUF, {type=V4L2_BUF_TYPE_VIDEO_CAPTURE}) = 0 <0.000010>"}), "none");
    EXPECT_EQ(after_turns({told, "ioctl(7, FIONREAD, [12]) = 0 <0.000010>"}), "EP202");
}

TEST(StraceMuseum, AConnectionThatWasTakenAndIsGone)
{
    EXPECT_EQ(
        after_turns(
            {"epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 64, -1) = 1 <0.000010>",
             "accept4(7, NULL, NULL, SOCK_NONBLOCK) = -1 ECONNABORTED (Software caused connection abort) <0.000010>"}),
        "none");
}

// A server that serves others well: what it does for one says nothing about the one that it is told of in vain beside it.
TEST(StraceMuseum, AnEndThatIsReportedBesideAClientThatIsServed)
{
    const char* both =
        "epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}, {events=EPOLLIN, data={u32=8, u64=8}}], 64, -1) = 2 "
        "<0.000010>";
    const char *end = "read(7, \"\", 64) = 0 <0.000010>", *served = "read(8, \"x\", 64) = 1 <0.000010>";
    EXPECT_EQ(after_turns({both, end, served}), "EP203");
    EXPECT_EQ(after_turns({both, served, end}), "EP203");
    EXPECT_EQ(after_turns({both, "read(7, \"x\", 64) = 1 <0.000010>", served}), "none");
    EXPECT_EQ(after_turns({both, served}), "none") << "another thread may serve 7, or it is edge-triggered";
}

TEST(StraceMuseum, DataThatIsNoNumberOfAnFd)
{
    // Slots 7 and 8 hold fds 8 and 9.
    const char* both =
        "epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}, {events=EPOLLIN, data={u32=8, u64=8}}], 64, -1) = 2 "
        "<0.000010>";
    EXPECT_EQ(after_turns({both, "read(8, \"x\", 64) = 1 <0.000010>", "read(9, \"x\", 64) = 1 <0.000010>"}), "none");
}

TEST(StraceMuseum, AnInnerEpollThatNobodyAsksBesideClientsThatAreServed)
{
    for (int clients : {2, 6}) {
        Lines l;
        nested(l);
        std::string events = "{events=EPOLLIN, data={u32=5, u64=5}}";
        for (int fd = 20; fd < 20 + clients; fd++)
            events += fmt::format(", {{events=EPOLLIN, data={{u32={0}, u64={0}}}}}", fd);
        for (int i = 0; i < 3000; i++) {
            l.line(100, fmt::format("epoll_wait(4, [{}], 64, 1000) = {} <0.000010>", events, clients + 1));
            for (int fd = 20; fd < 20 + clients; fd++)
                l.line(100, fmt::format("read({}, \"x\", 64) = 1 <0.000010>", fd));
        }
        EXPECT_EQ(l.verdict(), "EP202") << clients;
    }
}

TEST(StraceMuseum, AHangUpThatAnotherDevicesRequestsDoNotAnswer)
{
    EXPECT_EQ(after_turns({"epoll_wait(4, [{events=EPOLLHUP, data={u32=7, u64=7}}], 64, -1) = 1 <0.000010>",
                           "ioctl(12, DRM_IOCTL_MODE_PAGE_FLIP, 0x7ffc) = 0 <0.000010>"}),
              "EP204");
}

}  // namespace
}  // namespace epaudit
