// SPDX-License-Identifier: Apache-2.0
// What answers an event, and what only looks like it.
#include "tests/unit/pasted.h"

namespace epaudit {
namespace {

// Out-of-band data is not taken by read(), which finds nothing else.
TEST(StraceAnswers, UrgentDataIsTakenByItsOwnCall)
{
    const std::string urgent = "epoll_wait(4, [{EPOLLPRI, {u32=7, u64=7}}], 64, -1) = 1\n";
    const std::string other =
        "recvfrom(9, \"q\", 64, 0, NULL, NULL) = 1\nsocket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 11\n"
        "getpid() = 5\nread(0, \"\", 1) = 0\n";
    const PastedAnswer spin = judge(
        other + times(200, urgent + "read(7, 0x7ffc, 4096) = -1 EAGAIN (Resource temporarily unavailable)\n"));
    EXPECT_TRUE(spin.has("EP202")) << spin.told;
    EXPECT_FALSE(judge(other + times(200, urgent + "recvfrom(7, \"!\", 1, MSG_OOB, NULL, NULL) = 1\n")).has("EP202"));
    // Ordinary input that another thread was faster to take.
    const std::string input = "epoll_wait(4, [{EPOLLIN|EPOLLPRI, {u32=7, u64=7}}], 64, -1) = 1\n";
    EXPECT_FALSE(
        judge(other + times(200, input + "read(7, 0x7ffc, 4096) = -1 EAGAIN (Resource temporarily unavailable)\n"))
            .has("EP202"));
}

// Attributes of sysfs and cgroups are read from their beginning.
TEST(StraceAnswers, ReadingAnAttributeTakesItsChange)
{
    const std::string changed = "epoll_wait(4, [{EPOLLPRI|EPOLLERR, {u32=7, u64=7}}], 64, -1) = 1\n";
    for (const char* read :
         {"pread64(7, \"1\\n\", 16, 0) = 2\n", "lseek(7, 0, SEEK_SET) = 0\nread(7, \"1\\n\", 16) = 2\n"})
        EXPECT_TRUE(judge(times(150, changed + read)).quiet()) << read;
    EXPECT_FALSE(judge(times(150, changed + "pread64(9, \"page\", 4096, 8192) = 4096\n")).quiet());
    EXPECT_FALSE(judge(times(150, changed + "pread64(7, 0x7ffc, 16, 0) = -1 ESPIPE (Illegal seek)\n")).quiet());
}

// A stream has no records, and so no mark at the end of one: this is an empty one, and not the end.
TEST(StraceAnswers, AnEmptyRecordIsNoEnd)
{
    auto received = [](const std::string& flags) {
        return "epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\nrecvmsg(7, {msg_name=NULL, msg_namelen=0, "
               "msg_iov=[{iov_base=\"\", iov_len=4096}], msg_iovlen=1, msg_controllen=0, msg_flags=" +
               flags + "}, 0) = 0\n";
    };
    EXPECT_TRUE(judge(times(150, received("MSG_EOR"))).quiet());
    EXPECT_FALSE(judge(times(150, received("0"))).quiet());
}

}  // namespace
}  // namespace epaudit
