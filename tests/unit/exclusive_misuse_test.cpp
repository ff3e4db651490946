// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kExclusive = EPOLLIN | EPOLLEXCLUSIVE;

TEST(ExclusiveMisuse, ModIsRefused)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(3, kExclusive, FILE_LISTENER).mod(3, 0, -EINVAL).after_ms(500);
        EXPECT_EQ(s.alarms(), "");
        s.after_ms(1000);
        EXPECT_EQ(s.alarms(), "EP403 confirmed");
        EXPECT_EQ(s.finding("EP403").shape, "epoll_ctl(MOD) = EINVAL");
        EXPECT_EQ(s.finding("EP403").epoll_fd, 4);
    }
}

TEST(ExclusiveMisuse, ARefusedModThatIsTriedAgainAndAgain)
{
    Scenario s(Profile::kTest);
    s.add(3, kExclusive, FILE_LISTENER);
    for (int i = 0; i < 30; i++)
        s.mod(3, 0, -EINVAL).after_ms(100);
    EXPECT_EQ(s.alarms(), "EP403 confirmed");
}

TEST(ExclusiveMisuse, AddWithRdhupIsRefused)
{
    Scenario s;
    s.add_shared(7, kExclusive | EPOLLRDHUP, FILE_TCP, 7, -EINVAL).after_ms(1500);
    EXPECT_EQ(s.alarms(), "EP403 confirmed");
    EXPECT_EQ(s.finding("EP403").shape, "epoll_ctl(ADD) = EINVAL");
}

TEST(ExclusiveMisuse, FixedDeletesAndAdds)
{
    Scenario s;  // nginx
    s.add(3, kExclusive, FILE_LISTENER);
    for (int i = 0; i < 20; i++)
        s.after_ms(200).del(3).after_ms(100).add(3, kExclusive, FILE_LISTENER);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

TEST(ExclusiveMisuse, RefusedAndThenDoneRight)
{
    Scenario s;
    s.add(3, kExclusive, FILE_LISTENER).mod(3, 0, -EINVAL).del(3).after_ms(50).add(3, kExclusive, FILE_LISTENER);
    s.add_shared(7, kExclusive | EPOLLONESHOT, FILE_TCP, 7, -EINVAL).add(7, EPOLLIN, FILE_TCP);  // a probe
    s.after_ms(3000);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

TEST(ExclusiveMisuse, AnotherWorkersAddResolvesNothing)
{
    Scenario s;
    s.epoll(4).add(3, kExclusive, FILE_LISTENER).mod(3, 0, -EINVAL).epoll(5).add(3, kExclusive, FILE_LISTENER);
    s.after_ms(1500);
    EXPECT_EQ(s.alarms(), "EP403 confirmed");
}

TEST(ExclusiveMisuse, OtherInvalidCallsAreNotThisRules)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP).mod(7, EPOLLIN, -EINVAL).after_ms(2000);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

// Worker 101 was woken for two connections, took one and is busy with it; 102 sleeps.
Scenario& standoff(Scenario& s, uint64_t ms)
{
    s.epoll(5).thread(102).wait().epoll(4).thread(101).wait().arrives(3, 2).delivered(3, EPOLLIN).accept(3, 9);
    s.tables().set_ready({0x10000005, s.file_id(3), 3, 0}, false);
    s.after_ms(ms);
    return s.accept(3, 10).wait();
}

Scenario& two_workers(Scenario& s)
{
    return s.epoll(5)
        .thread(102)
        .add(3, kExclusive, FILE_LISTENER)
        .epoll(4)
        .thread(101)
        .add(3, kExclusive, FILE_LISTENER);
}

TEST(ExclusiveMisuse, StuckBehindABusyWinner)
{
    Scenario s;
    standoff(two_workers(s), 2500);
    EXPECT_EQ(s.alarms(), "EP403 likely");
    standoff(s.after_ms(500), 2500);
    standoff(s.after_ms(500), 2500);
    EXPECT_EQ(s.alarms(), "EP403 confirmed");
    EXPECT_EQ(s.finding("EP403").count, 3u);
}

// A program opens and closes its listeners all day, and each of them hangs once.
TEST(ExclusiveMisuse, ListenersThatAreGoneAreNotRememberedForEver)
{
    Scenario s;
    two_workers(s).epoll(5).thread(102).wait().epoll(4).thread(101).wait();
    s.arrives(3, 2).delivered(3, EPOLLIN).accept(3, 9);
    s.tables().set_ready({0x10000005, s.file_id(3), 3, 0}, false);
    const Snapshot stuck = s.after_ms(3000).snapshot();
    std::unique_ptr<Rule> rule;
    for (auto& one : make_rules())
        if (one->info().id == std::string_view("EP403"))
            rule = std::move(one);
    auto episodes = [&](uint64_t listener, uint64_t episode) {
        Snapshot books = stuck;
        books.time += 1000 * listener + episode;
        for (Entry& entry : books.entries) {
            entry.file_id = entry.key.file = entry.file_id + (listener << 12);
            entry.file.ino += listener;
            entry.file.stuck_at += episode;
        }
        std::vector<Finding> out;
        rule->audit(books, Settings(rule->info(), Profile::kTest), out);
        return out.empty() ? 0 : out.front().count;
    };
    EXPECT_EQ(episodes(0, 1), 1u);
    EXPECT_EQ(episodes(0, 2), 2u);
    for (uint64_t listener = 1; listener <= 1500; listener++)
        ASSERT_EQ(episodes(listener, 3), 1u);
    EXPECT_EQ(episodes(1500, 4), 2u) << "the newest is";
    EXPECT_EQ(episodes(0, 4), 1u);
}

TEST(ExclusiveMisuse, AWorkerThatComesBackSoonIsNoFault)
{
    Scenario s;
    two_workers(s);
    for (int i = 0; i < 10; i++)
        standoff(s.after_ms(200), 700);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

TEST(ExclusiveMisuse, EverybodyBusyIsOverload)
{
    Scenario s;
    two_workers(s).epoll(5).thread(102).wait().returned(0).epoll(4).thread(101).wait();
    s.arrives(3, 2).delivered(3, EPOLLIN).accept(3, 9).after_ms(4000);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

TEST(ExclusiveMisuse, AStoppedWinnerIsNoFault)
{
    Scenario s;
    two_workers(s).epoll(5).thread(102).wait().epoll(4).thread(101).wait();
    s.arrives(3, 2).delivered(3, EPOLLIN).accept(3, 9).stopped(true);
    s.tables().set_ready({0x10000005, s.file_id(3), 3, 0}, false);
    s.after_ms(4000);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

TEST(ExclusiveMisuse, MixedWithPlainIsAHazard)
{
    Scenario s;
    s.epoll(5).thread(102).add(3, EPOLLIN, FILE_LISTENER).epoll(4).thread(101).add(3, kExclusive, FILE_LISTENER);
    for (int i = 0; i < 400; i++) {
        s.after_ms(10).epoll(5).thread(102).wait().woken(102, 3, 0).epoll(4).thread(101).wait().woken(101, 3, 0);
        s.arrives(3, 1).delivered(3, EPOLLIN).accept(3, 9).epoll(5).thread(102).returned(0);
    }
    EXPECT_EQ(s.verdict("EP403"), "risk");
}

// uwsgi #1224: connections are registered with EPOLLEXCLUSIVE, the first MOD is refused, the client is dropped.
Scenario& drops(Scenario& s, int clients, bool deletes)
{
    for (int fd = 10; fd < 10 + clients; fd++) {
        s.after_ms(50).add(fd, kExclusive, FILE_TCP).arrives(fd, 5).delivered(fd, EPOLLIN).read(fd, 5);
        s.mod(fd, EPOLLOUT, -EINVAL);
        if (deletes)
            s.del(fd);
        s.close(fd);
    }
    return s.wait().after_ms(1000);
}

TEST(ExclusiveMisuse, RefusedAndThenDropped)
{
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        for (bool deletes : {false, true}) {
            Scenario s(profile);
            drops(s, 15, deletes);
            EXPECT_EQ(s.alarms(), "EP403 confirmed");
            EXPECT_EQ(s.finding("EP403").count, 15u);
            EXPECT_EQ(s.finding("EP403").epoll_fd, 4);
        }
    }
}

TEST(ExclusiveMisuse, OneDroppedIsNoHabit)
{
    Scenario s;
    drops(s, 1, false);
    EXPECT_EQ(s.alarms(), "");
}

TEST(ExclusiveMisuse, RefusedThenReplacedThenClosedIsQuiet)
{
    Scenario s;  // nginx: DEL and ADD answer the EINVAL, and the client is served
    for (int fd = 10; fd < 25; fd++)
        s.after_ms(50)
            .add(fd, kExclusive, FILE_TCP)
            .mod(fd, EPOLLOUT, -EINVAL)
            .del(fd)
            .add(fd, EPOLLOUT, FILE_TCP)
            .write(fd, 10)
            .close(fd);
    s.after_ms(1000);
    EXPECT_EQ(s.verdict("EP403"), "none");
}

TEST(ExclusiveMisuse, ProbesAreNotDroppedClients)
{
    Scenario s;  // does this kernel know the flag? an ADD that must fail, and the descriptor is closed
    for (int fd = 10; fd < 25; fd++)
        s.after_ms(50).add_shared(fd, kExclusive | EPOLLONESHOT, FILE_EVENTFD, 7, -EINVAL).close(fd);
    s.after_ms(1000);
    EXPECT_EQ(s.alarms(), "");
}

}  // namespace
}  // namespace epaudit
