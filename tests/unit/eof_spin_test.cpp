// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kInRdhup = EPOLLIN | EPOLLRDHUP;

TEST(EofSpin, ReadOfNothingIgnored)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).peer_closes(7).spin(7, kIn, 3000, 500, [](Scenario& t) { t.read(7, 0); });
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
    EXPECT_EQ(s.finding("EP203").shape, "read = 0 between returns");
}

TEST(EofSpin, AResetInTheMiddleMakesNoSecondFault)
{
    Scenario s;  // of a socket that has ended, read() goes on returning 0, and the error stays
    auto reads_the_end = [](Scenario& t) { t.read(7, 0); };
    s.add(7, kIn, FILE_TCP).peer_closes(7).spin(7, kIn, 3000, 500, reads_the_end);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
    s.reset(7).spin(7, kIn | EPOLLHUP | EPOLLERR, 3000, 500, reads_the_end);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(EofSpin, RdhupIgnored)
{
    Scenario s;  // beanstalkd #144: nothing reads, unread data or not
    s.add(7, EPOLLRDHUP, FILE_TCP).arrives(7, 5).peer_closes(7).spin(7, EPOLLRDHUP, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(EofSpin, EndNeverRead)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).peer_closes(7).spin(7, kIn, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(EofSpin, UnreadDataBeforeTheEndIsUnreadData)
{
    Scenario s;
    s.add(7, kInRdhup, FILE_TCP).arrives(7, 5).peer_closes(7).spin(7, kInRdhup, 3000, 500);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(EofSpin, PipeWhoseWriterLeft)
{
    Scenario s;
    s.add(6, kIn, FILE_PIPE).spin(6, EPOLLHUP, 3000, 500, [](Scenario& t) { t.read(6, 0); });
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(EofSpin, OneshotRearmedAtTheEndSpinsToo)
{
    Scenario s;  // fibers #19
    s.add(7, kIn | EPOLLONESHOT, FILE_TCP).peer_closes(7);
    s.spin(7, kIn, 3000, 500, [](Scenario& t) { t.read(7, 0).mod(7, kIn | EPOLLONESHOT); });
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(EofSpin, ClosedByTheProgramInTheEnd)
{
    Scenario s;
    s.add(7, kIn, FILE_TCP).peer_closes(7).spin(7, kIn, 3000, 500, [](Scenario& t) { t.read(7, 0); }).close(7).wait();
    s.after_ms(1000);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(EofSpin, EndAfterAnUnreadSpinDoesNotChangeThatOne)
{
    Scenario s;  // the spin was about data; later the program read all, met the end and closed
    s.add(7, kIn, FILE_TCP).arrives(7, 10).spin(7, kIn, 3000, 500);
    s.read(7, 10).peer_closes(7).delivered(7, kIn).read(7, 0).close(7).wait();
    s.after_ms(2000);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(EofSpin, UnreadDataThatIsReadInTheEndWasUnreadData)
{
    Scenario s;  // the peer had closed before the spin began, but what spun was data
    s.add(7, kIn, FILE_TCP).arrives(7, 10).peer_closes(7).spin(7, kIn, 3000, 500);
    s.after_ms(10).read(7, 10).read(7, 0).close(7).wait();
    s.after_ms(2000);
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(EofSpin, ClosingAtOnceIsQuiet)
{
    Scenario s;
    for (int i = 0; i < 3000; i++)
        s.after_us(500).add(7, kIn, FILE_TCP).peer_closes(7).delivered(7, kIn).read(7, 0).close(7);
    EXPECT_EQ(s.alarms(), "");
}

TEST(EofSpin, HalfClosedPeerStillServedIsQuiet)
{
    Scenario s;  // the long answer makes progress at each turn
    s.add(7, kInRdhup | EPOLLOUT, FILE_TCP).peer_closes(7);
    s.spin(7, kInRdhup | EPOLLOUT, 3000, 500, [](Scenario& t) { t.write(7, 1000); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(EofSpin, ASpinningSocketIsNoLeakAsWell)
{
    Scenario s;
    for (int fd = 20; fd < 40; fd++)
        s.add(fd, kIn, FILE_TCP).peer_closes(fd);
    for (int turn = 0; turn < 3000; turn++) {
        std::vector<std::pair<int, uint32_t>> events;
        for (int fd = 20; fd < 40; fd++)
            events.emplace_back(fd, kIn);
        s.after_us(2000).delivers(events);
        for (int fd = 20; fd < 40; fd++)
            s.read(fd, 0);
    }
    EXPECT_EQ(s.alarms(), "EP203 likely");
    EXPECT_EQ(s.finding("EP203").fds, 20u);
    EXPECT_EQ(s.verdict("EP302"), "none");
}

}  // namespace
}  // namespace epaudit
