// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(FailedEpollCtl, ModOfAnFdThatIsNotIn)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(7, EPOLLIN, FILE_TCP)
            .wait()
            .arrives(7, 5)
            .delivered(7, EPOLLIN)
            .read(7, 5)
            .del(7)
            .mod(7, EPOLLIN, -ENOENT)
            .wait();
        s.after_ms(3000);
        EXPECT_EQ(s.verdict("EP601"), "none");  // nothing has come yet
        s.arrives(7, 5).after_ms(500);
        EXPECT_EQ(s.verdict("EP601"), "none");
        s.after_ms(6000);
        EXPECT_EQ(s.alarms(), "EP601 confirmed");
        EXPECT_EQ(s.finding("EP601").shape, "MOD = ENOENT, registered nowhere");
        EXPECT_EQ(s.finding("EP601").epoll_fd, 4);
    }
}

TEST(FailedEpollCtl, NoRoomForAnotherWatch)
{
    Scenario s(Profile::kProduction);
    s.add(3, EPOLLIN, FILE_LISTENER).wait().add_shared(7, EPOLLIN, FILE_TCP, 7, -ENOSPC).after_ms(500);
    EXPECT_EQ(s.verdict("EP601"), "none");
    s.after_ms(1000);
    EXPECT_EQ(s.alarms(), "EP601 confirmed");
}

TEST(FailedEpollCtl, NoRoomAndTheConnectionIsShed)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    s.add_shared(7, EPOLLIN, FILE_TCP, 7, -ENOSPC).close(7).after_ms(3000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, AddForWritingOfAnFdThatIsIn)
{
    Scenario s;  // ADD instead of MOD: EEXIST, and EPOLLOUT never comes
    s.add(7, EPOLLIN, FILE_TCP).wait().write(7, 400, 1000).add_shared(7, EPOLLIN | EPOLLOUT, FILE_TCP, 7, -EEXIST);
    s.writable(7, false).after_ms(3000);
    EXPECT_EQ(s.verdict("EP601"), "none");  // there is no room yet
    s.writable(7, true).after_ms(3000);
    EXPECT_EQ(s.alarms(), "EP601 confirmed") << "that the output is stuck is the same fault";
}

TEST(FailedEpollCtl, EexistWithEverythingInTheMask)
{
    Scenario s;  // mosquitto, 1020 times
    s.add(7, EPOLLIN | EPOLLOUT, FILE_TCP).wait();
    for (int i = 0; i < 1020; i++)
        s.add_shared(7, EPOLLIN, FILE_TCP, 7, -EEXIST);
    s.arrives(7, 5).after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, EexistThenMod)
{
    Scenario s;  // libuv, libev, haproxy
    s.add(7, EPOLLIN, FILE_TCP).wait().write(7, 400, 1000).add_shared(7, EPOLLIN | EPOLLOUT, FILE_TCP, 7, -EEXIST);
    s.mod(7, EPOLLIN | EPOLLOUT).after_ms(3000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, EnoentThenAdd)
{
    Scenario s;  // libevent, photon, facil.io, mosquitto
    s.add(7, EPOLLIN, FILE_TCP).wait().del(7).mod(7, EPOLLIN, -ENOENT).add(7, EPOLLIN, FILE_TCP).arrives(7, 5);
    s.after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, SomebodyReadsItAllTheSame)
{
    Scenario s;  // it fell back to a thread, or to poll()
    s.add(7, EPOLLIN, FILE_TCP).wait().del(7).mod(7, EPOLLIN, -ENOENT);
    s.arrives(7, 10).after_ms(500).read(7, 5).after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, FailingDelsDeafenNobody)
{
    Scenario s;  // libevent, libuv, Python, Netty
    s.add(7, EPOLLIN, FILE_TCP).wait().del(7).del(7, -ENOENT).arrives(7, 5).after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, RegularFilesAreAlwaysReady)
{
    Scenario s;  // EPERM: Go at each os.Open, libev, asio
    s.add(3, EPOLLIN, FILE_LISTENER).wait();
    for (int fd = 20; fd < 40; fd++)
        s.add_shared(fd, EPOLLIN, FILE_OTHER, static_cast<uint64_t>(fd), -EPERM);
    s.after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, UnknownKindsHaveNoVerdict)
{
    Scenario s;
    s.add(3, EPOLLIN, FILE_LISTENER).wait().add_shared(7, EPOLLIN, FILE_OTHER, 7, -ENOSPC).after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, AnotherEpollReportsIt)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).wait().epoll(5).add_shared(7, EPOLLIN, FILE_TCP, 7, -EINVAL).epoll(4).arrives(7, 5);
    s.after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, ExclusiveIsAnotherRules)
{
    Scenario s;  // EP403
    s.add(7, EPOLLIN | EPOLLEXCLUSIVE, FILE_LISTENER).wait().mod(7, EPOLLIN | EPOLLOUT, -EINVAL).arrives(7, 1);
    s.after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, StoppedProcess)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).wait().del(7).mod(7, EPOLLIN, -ENOENT).arrives(7, 5).stopped(true).after_ms(10000);
    EXPECT_EQ(s.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, AWaitWithoutEndOnAnEpollIntoWhichNothingGot)
{
    Scenario s;  // bar < foo.txt
    s.add_shared(0, EPOLLIN, FILE_OTHER, 0, -EPERM).wait().after_ms(900);
    EXPECT_EQ(s.verdict("EP601"), "none");
    s.after_ms(600);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP601"), "risk");
    EXPECT_EQ(s.finding("EP601").shape, "waits on an empty epoll");
}

TEST(FailedEpollCtl, EmptyEpollsThatAreRight)
{
    Scenario sleeps;  // epoll_wait for a sleep
    sleeps.add_shared(0, EPOLLIN, FILE_OTHER, 0, -EPERM).wait(60000).after_ms(10000);
    EXPECT_EQ(sleeps.verdict("EP601"), "none");
    Scenario signals;  // only signals end its waits
    signals.add_shared(0, EPOLLIN, FILE_OTHER, 0, -EPERM).wait().after_ms(10).returned(-EINTR).wait().after_ms(10000);
    EXPECT_EQ(signals.verdict("EP601"), "none");
    Scenario done;  // its work is done
    done.add_shared(0, EPOLLIN, FILE_OTHER, 0, -EPERM).add(7, EPOLLIN, FILE_TCP).wait().del(7).after_ms(10000);
    EXPECT_EQ(done.verdict("EP601"), "none");
    Scenario others;  // it asked what a file is (Go), and waits for its sockets
    others.add(7, EPOLLIN, FILE_TCP).add_shared(0, EPOLLIN, FILE_OTHER, 0, -EPERM).wait().after_ms(10000);
    EXPECT_EQ(others.verdict("EP601"), "none");
}

TEST(FailedEpollCtl, ManyFailuresWithoutHarmAreARisk)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).wait().del(7);
    for (int i = 0; i < 150; i++)
        s.mod(7, EPOLLIN, -ENOENT);
    s.after_ms(3000);
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP601"), "risk");
}

}  // namespace
}  // namespace epaudit
