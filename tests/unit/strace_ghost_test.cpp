// SPDX-License-Identifier: Apache-2.0
// A closed number that is still reported, as logs show it: every call on it says EBADF, or nothing is called on it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pasted.h"

namespace epaudit {
namespace {

const std::string kTold = "epoll_wait(4, [{events=EPOLLIN, data={u32=5, u64=5}}], 64, -1) = 1\n";
const std::string kBorn =
    "epoll_create1(EPOLL_CLOEXEC) = 4\n"
    "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 5\n"
    "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=5, u64=5}}) = 0\n"
    "dup(5) = 6\n" +
    kTold + "read(5, \"\", 4096) = 0\nclose(5) = 0\n";

// What handlers do about an fd that is in trouble: they close it, and the number is closed already.
const char* const kHandlers[] = {
    "close(5) = -1 EBADF (Bad file descriptor)\n",
    "epoll_ctl(4, EPOLL_CTL_DEL, 5, NULL) = -1 EBADF (Bad file descriptor)\n"
    "close(5) = -1 EBADF (Bad file descriptor)\n",
    "read(5, 0x7ffe, 4096) = -1 EBADF (Bad file descriptor)\n"
    "close(5) = -1 EBADF (Bad file descriptor)\n",
    "read(5, 0x7ffe, 4096) = -1 EBADF (Bad file descriptor)\n",
    "recvfrom(5, 0x7ffe, 4096, 0, NULL, NULL) = -1 EBADF (Bad file descriptor)\n",
    "",
};

TEST(StraceGhost, CallsOnTheClosedNumberFail)
{
    for (const std::string handler : kHandlers) {
        const std::string turns = times(300, kTold + handler);
        EXPECT_GE(judge(kBorn + turns).level("EP303"), Level::kLikely) << handler;
        EXPECT_FALSE(judge(kBorn + turns).has("EP202")) << handler;
        if (!handler.empty()) {  // else nothing in the middle of it says what it is
            EXPECT_GE(judge(turns).level("EP303"), Level::kLikely) << "from the middle: " << handler;
        }
    }
}

// Time stamps add, they never take away: whether the log lasts an instant or long.
TEST(StraceGhost, WithTimeStamps)
{
    for (const std::string handler : kHandlers)
        for (double step : {0.00002, 0.0001, 0.001, 0.01}) {
            const Decorate stamps = [&](const std::string& line, unsigned number) {
                return fmt::format("100 {:.6f} {}", 1700000000 + number * step, line);
            };
            EXPECT_GE(judge(kBorn + times(300, kTold + handler), stamps).level("EP303"), Level::kLikely)
                << step << " " << handler;
        }
}

// A new connection under the old number is not the old one, and a close that fails once is no ghost.
TEST(StraceGhost, TheNumberIsOpenedAgain)
{
    const std::string again =
        "close(5) = -1 EBADF (Bad file descriptor)\n"
        "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 5\n"
        "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=5, u64=5}}) = 0\n";
    const PastedAnswer answer = judge(kBorn + again + times(300, kTold + "read(5, \"ping\", 4096) = 4\n"));
    EXPECT_TRUE(answer.quiet());
}

// A child adds a socket of its own to the epoll that it inherited: its parent is told of it as well, and never had that
// number. The epoll is shared, and nobody closed anything.
TEST(StraceGhost, TheNumberIsThatOfAnotherProcess)
{
    const std::string created = "100 brk(NULL) = 0x55d3c0a0b000\n100 epoll_create1(EPOLL_CLOEXEC) = 3\n";
    const std::string forked =
        "100 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 101\n";
    const auto added_by = [](const std::string& pid) {
        return pid + " socketpair(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK, 0, [6, 7]) = 0\n" + pid +
               " epoll_ctl(3, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data={u32=6, u64=6}}) = 0\n";
    };
    const std::string its_own = created + forked + added_by("101");
    // A parent that had the number and closed it is told of a ghost all the same.
    const std::string closed = created + added_by("100") + forked + "100 close(6) = 0\n";
    const std::string told = "100 epoll_wait(3, [{events=EPOLLIN, data={u32=6, u64=6}}], 1, 20) = 1\n";
    for (const char* failed : {"100 recvfrom(6, 0x7ffe, 16, 0, NULL, NULL) = -1 EBADF (Bad file descriptor)\n",
                               "100 epoll_ctl(3, EPOLL_CTL_DEL, 6, NULL) = -1 EBADF (Bad file descriptor)\n"}) {
        const PastedAnswer shared = judge(its_own + times(300, told + failed));
        EXPECT_FALSE(shared.has("EP303")) << failed;
        ASSERT_EQ(shared.runs.size(), 1U) << failed;
        EXPECT_STREQ(shared.runs[0].doubt, "the fd is that of another process, which shares the epoll") << failed;
        EXPECT_TRUE(judge(closed + times(300, told + failed)).has("EP303")) << failed;
    }
}

}  // namespace
}  // namespace epaudit
