// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sys/syscall.h>

#include "src/books/call_names.h"
#include "src/books/describe.h"
#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(Describe, Masks)
{
    EXPECT_EQ(mask_text(0), "0");
    EXPECT_EQ(mask_text(EPOLLIN | EPOLLET), "EPOLLIN|EPOLLET");
    EXPECT_EQ(mask_text(EPOLLOUT | EPOLLRDHUP | EPOLLONESHOT), "EPOLLOUT|EPOLLRDHUP|EPOLLONESHOT");
    EXPECT_EQ(mask_text(0x100000), "0x100000");
    EXPECT_EQ(mask_text(EPOLLIN | 0x100000), "EPOLLIN|0x100000");
}

TEST(Describe, Triggers)
{
    EXPECT_EQ(trigger_text(EPOLLIN), "level");
    EXPECT_EQ(trigger_text(EPOLLIN | EPOLLET), "edge");
    EXPECT_EQ(trigger_text(EPOLLONESHOT), "oneshot");
    EXPECT_EQ(trigger_text(EPOLLONESHOT | EPOLLET), "edge,oneshot");
}

TEST(Describe, Names)
{
    EXPECT_STREQ(kind_name(FILE_TCP), "tcp");
    EXPECT_STREQ(kind_name(FILE_OTHER), "other");
    EXPECT_STREQ(kind_name(200), "unknown");
    EXPECT_STREQ(tcp_state_name(8), "CLOSE_WAIT");
    EXPECT_STREQ(tcp_state_name(99), "");
    EXPECT_EQ(errno_text(-EAGAIN), "EAGAIN");
    EXPECT_EQ(errno_text(EMFILE), "EMFILE");
    EXPECT_EQ(errno_text(-999), "errno 999");
}

TEST(Describe, Addresses)
{
    socket_name name{};
    EXPECT_EQ(local_address(name), "");
    name.family = 2;
    name.local[0] = 127;
    name.local[3] = 1;
    name.local_port = 80;
    EXPECT_EQ(local_address(name), "127.0.0.1:80");
    EXPECT_EQ(peer_address(name), "");  // a listener has none
    name.family = 10;
    name.peer[15] = 1;
    name.peer_port = 5555;
    EXPECT_EQ(peer_address(name), "[::1]:5555");
}

TEST(Describe, Bytes)
{
    EXPECT_EQ(bytes_text(1), "1 byte");
    EXPECT_EQ(bytes_text(78848), "78848 bytes");
    EXPECT_EQ(bytes_text(3 * 1024 * 1024), "3.0 MiB");
}

TEST(Describe, Postings)
{
    EXPECT_EQ(posting_text(POSTING_DELIVERED, EPOLLIN | EPOLLHUP), "delivered EPOLLIN|EPOLLHUP");
    EXPECT_EQ(posting_text(POSTING_READ, 4), "read 4 bytes");
    EXPECT_EQ(posting_text(POSTING_READ, 0), "read = 0");
    EXPECT_EQ(posting_text(POSTING_READ, -EAGAIN), "read = EAGAIN");
    EXPECT_EQ(posting_text(POSTING_WRITE, FLIGHT_VALUE_MAX), "wrote at least 512 KiB");
    EXPECT_EQ(posting_text(POSTING_ACCEPT, -EMFILE), "accept = EMFILE");
    EXPECT_EQ(posting_text(POSTING_ACCEPT, 9), "accepted fd 9");
    EXPECT_EQ(posting_text(POSTING_MOD, -ENOENT), "epoll_ctl(MOD) = ENOENT");
    EXPECT_EQ(posting_text(POSTING_ADD, EPOLLIN), "epoll_ctl(ADD) EPOLLIN");
}

TEST(Describe, TimelineRunsForwardAndEndsAtTheNewest)
{
    Scenario s;
    s.at_ms(10)
        .add(7, EPOLLIN, FILE_TCP)
        .arrives(7, 5)
        .at_ms(20)
        .delivered(7, EPOLLIN)
        .thread(101)
        .at_ms(23)
        .read(7, 5);
    std::vector<TimelineEntry> t = timeline(s.file(7), Scenario::kStart);
    ASSERT_EQ(t.size(), 3u);
    EXPECT_EQ(t[0].what, "epoll_ctl(ADD) EPOLLIN");
    EXPECT_NEAR(t[0].t, 0.010, 0.0001);
    EXPECT_EQ(t[1].what, "delivered EPOLLIN");
    EXPECT_NEAR(t[1].t, 0.020, 0.0001);
    EXPECT_EQ(t[1].tid, 100u);
    EXPECT_EQ(t[2].what, "read 5 bytes");
    EXPECT_NEAR(t[2].t, 0.023, 0.0001);
    EXPECT_EQ(t[2].tid, 101u);
}

TEST(Describe, TimelineOfAFullRing)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 1; i <= 100; i++)
        s.after_us(1000).write(7, i);
    std::vector<TimelineEntry> t = timeline(s.file(7), Scenario::kStart);
    ASSERT_EQ(t.size(), 16u);
    EXPECT_EQ(t.front().what, "wrote 85 bytes");
    EXPECT_EQ(t.back().what, "wrote 100 bytes");
    EXPECT_NEAR(t.front().t, 0.085, 0.0001);
}

TEST(Describe, CallsByNumberAndByName)
{
    EXPECT_EQ(system_call_name(SYS_fsync), "fsync");
    for (const char* name : {"clock_nanosleep", "futex", "openat", "copy_file_range"})
        EXPECT_EQ(system_call_name(system_call_number(name)), name);
    EXPECT_EQ(system_call_number("getpid"), -1);
    EXPECT_EQ(system_call_number(""), -1);
}

TEST(Describe, NoTimelineWithoutPostings) { EXPECT_TRUE(timeline(file_row{}, 0).empty()); }

}  // namespace
}  // namespace epaudit
