// SPDX-License-Identifier: Apache-2.0
// Calls whose line another thread interrupted, in the forms that strace writes them.
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

TEST(StraceImport, ACallInterruptedBeforeItsFirstArgumentIsJoined)
{
    Auditor auditor(Profile::kTest, make_rules());
    StraceImport log(auditor, 64);
    for (const char* line :
         {"9 1700000000.000001 epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>",
          "9 1700000000.000100 pipe2( <unfinished ...>",
          "8 1700000000.000110 set_robust_list(0x7fe5b88eda20, 24 <unfinished ...>",
          "9 1700000000.000120 <... pipe2 resumed>[5, 6], O_NONBLOCK|O_CLOEXEC) = 0 <0.000027>",
          "9 1700000000.000130 epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=5, u64=5}}) = 0 "
          "<0.000014>"})
        log.line(line);
    log.finish();
    EXPECT_TRUE(log.lost().empty()) << log.lost().at(0).first;
    EXPECT_EQ(log.audit().tables().registrations(), 1U);
    const auto files = log.audit().tables().file_account();
    ASSERT_EQ(files.size(), 1U);
    EXPECT_EQ(files[0].file_kind, FILE_PIPE);  // what pipe2 returned was read
}

}  // namespace
}  // namespace epaudit
