// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kHupErr = EPOLLHUP | EPOLLERR;

TEST(HupErrSpin, MaskOfZeroIsNotOff)
{
    Scenario s;  // h2o #603, cups #4605
    s.add(7, 0, FILE_TCP).reset(7).spin(7, kHupErr, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP204 confirmed");
    Finding f = s.finding("EP204");
    EXPECT_EQ(f.summary, "EPOLLERR is reported though the mask is empty, and ignored: the loop spins");
    EXPECT_NE(f.fix.find("EPOLL_CTL_DEL"), std::string::npos);
}

TEST(HupErrSpin, HupWithoutInput)
{
    Scenario s;
    s.add(6, 0, FILE_PIPE).spin(6, EPOLLHUP, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP204 confirmed");
}

TEST(HupErrSpin, ErrorQueueReadWithPlainRecv)
{
    Scenario s;  // libuv UDP: recvmsg = EAGAIN, the error queue stays
    s.add(7, EPOLLIN, FILE_UDP);
    s.state(7).aux = 1 << 16;
    s.spin(7, EPOLLERR, 3000, 500, [](Scenario& t) { t.read(7, -EAGAIN); });
    EXPECT_EQ(s.alarms(), "EP204 confirmed");
    EXPECT_NE(s.finding("EP204").fix.find("MSG_ERRQUEUE"), std::string::npos);
}

TEST(HupErrSpin, ErrorQueueDrainedIsQuiet)
{
    Scenario s;  // zerocopy completions
    s.add(7, EPOLLIN, FILE_TCP).spin(7, EPOLLERR, 3000, 500, [](Scenario& t) { t.errqueue(7, 48); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(HupErrSpin, ModIsNoAnswerToHup)
{
    Scenario s;  // fibers #19: even one-shot and edge-triggered registrations report it again
    s.add(7, EPOLLIN | EPOLLET, FILE_TCP).reset(7);
    s.spin(7, EPOLLIN | kHupErr, 3000, 500, [](Scenario& t) { t.mod(7, EPOLLIN | EPOLLET); });
    EXPECT_EQ(s.alarms(), "EP204 confirmed");
    EXPECT_EQ(s.finding("EP204").shape, "epoll_ctl(MOD) to the same mask between returns");
}

TEST(HupErrSpin, FailedConnectOnceIsQuiet)
{
    Scenario s;
    for (int i = 0; i < 3000; i++) {
        s.after_us(500).add(7, EPOLLOUT, FILE_TCP).reset(7);
        s.delivered(7, EPOLLOUT | kHupErr).close(7);
    }
    EXPECT_EQ(s.alarms(), "");
}

TEST(HupErrSpin, DelAtTheFirstReportIsQuiet)
{
    Scenario s;  // h2o fixed, seastar
    s.add(7, 0, FILE_TCP).reset(7).delivered(7, kHupErr).del(7).wait();
    s.after_ms(10000);
    EXPECT_EQ(s.alarms(), "");
}

}  // namespace
}  // namespace epaudit
