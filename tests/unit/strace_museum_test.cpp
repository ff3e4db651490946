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

// An epoll (5) in an epoll (4), and a pipe in the inner one.
Lines& nested(Lines& l)
{
    l.line(100, "epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>");
    l.line(100, "epoll_create1(EPOLL_CLOEXEC) = 5 <0.000010>");
    l.line(100, "pipe2([6, 7], O_NONBLOCK) = 0 <0.000010>");
    l.line(100, "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=5, u64=5}}) = 0 <0.000010>");
    return l.line(100, "epoll_ctl(5, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data={u32=6, u64=6}}) = 0 <0.000010>");
}

TEST(StraceMuseum, AnInnerEpollThatNobodyAsks)
{
    Lines l;
    EXPECT_EQ(nested(l).told(100, "{u32=5, u64=5}", 20000).verdict(), "EP202");
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

}  // namespace
}  // namespace epaudit
