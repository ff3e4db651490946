// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kFirst = 200;

// Workers with one listener, each with its own epoll, all asleep.
void prefork(Scenario& s, uint32_t workers)
{
    for (uint32_t pid = kFirst; pid < kFirst + workers; pid++)
        s.process(pid).epoll(static_cast<int>(pid)).add(3, EPOLLIN, FILE_LISTENER).wait();
}

// A connection wakes the first `woken` workers; one accepts, the others find nothing and sleep on inside
// epoll_wait. `cpu_ns` is what each wake-up costs.
void connection(Scenario& s, uint32_t woken, uint64_t& clock, uint64_t cpu_ns)
{
    s.arrives(3, 1);
    clock += cpu_ns;
    for (uint32_t pid = kFirst; pid < kFirst + woken; pid++)
        s.process(pid).epoll(static_cast<int>(pid)).woken(pid, 3, clock);
    s.process(kFirst).epoll(kFirst).delivered(3, EPOLLIN).accept(3, 50).wait();
}

void load(Scenario& s, uint32_t woken, unsigned per_s, unsigned seconds, uint64_t cpu_ns)
{
    uint64_t clock = 0;
    for (unsigned i = 0; i < per_s * seconds; i++) {
        s.after_us(1000000 / per_s);
        connection(s, woken, clock, cpu_ns);
    }
}

TEST(ThunderingHerd, SixWorkersOneConnection)
{
    Scenario s;
    prefork(s, 6);
    load(s, 6, 300, 4, 20000);
    EXPECT_EQ(s.alarms(), "EP401 confirmed");
    Finding f = s.finding("EP401");
    EXPECT_EQ(f.shape, "one file in several epolls");
    EXPECT_EQ(f.fd.kind, "listener");
    ASSERT_FALSE(f.cost.empty());
    EXPECT_NEAR(f.cost[0].second, 1500, 60);  // 300/s, five wasted each
}

TEST(ThunderingHerd, ProductionAsksWhatItCosts)
{
    Scenario s(Profile::kProduction);
    prefork(s, 6);
    load(s, 6, 1000, 8, 20000);  // 5000 wasted wakes/s * 20 us = 10 % of a core
    EXPECT_EQ(s.alarms(), "EP401 confirmed");
}

TEST(ThunderingHerd, ThreePercentIsLikely)
{
    Scenario s(Profile::kProduction);
    prefork(s, 6);
    load(s, 6, 300, 8, 20000);
    EXPECT_EQ(s.alarms(), "EP401 likely");
}

TEST(ThunderingHerd, HaproxyAtOnePercentIsARisk)
{
    Scenario s(Profile::kProduction);
    prefork(s, 4);
    load(s, 4, 200, 8, 10000);  // 600 wasted/s * 10 us = 0.6 %
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP401"), "risk");
}

// As load(), by processes that need `work_ns` of CPU time for each connection.
void busy_load(Scenario& s, uint32_t workers, unsigned per_s, unsigned seconds, uint64_t cpu_ns, uint64_t work_ns)
{
    uint64_t clock = 0;
    for (unsigned i = 1; i <= per_s * seconds; i++) {
        s.after_us(1000000 / per_s);
        connection(s, workers, clock, cpu_ns);
        s.process(kFirst).spent(i * work_ns);
        for (uint32_t pid = kFirst + 1; pid < kFirst + workers; pid++)
            s.process(pid).spent(i * cpu_ns);
    }
}

TEST(ThunderingHerd, HaproxyUnderLoadIsARisk)
{
    for (Profile profile : {Profile::kProduction, Profile::kTest}) {
        Scenario s(profile);  // measured: 3 % of a core, and 9 to 15 % of what haproxy spends in all
        prefork(s, 4);
        busy_load(s, 4, 2500, 8, 5000, 90000);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP401"), "risk");
    }
}

// What a wake-up costs differs from machine to machine; how many find nothing does not.
TEST(ThunderingHerd, FourWaitersAreARiskAtAnyCost)
{
    for (Profile profile : {Profile::kProduction, Profile::kTest}) {
        Scenario s(profile);
        prefork(s, 4);
        busy_load(s, 4, 2500, 8, 50000, 60000);
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.verdict("EP401"), "risk");
    }
}

// One worker is awake and takes every connection: all that were asleep wake for nothing.
TEST(ThunderingHerd, FourWaitersOfWhichNoneFindsAnythingAreARisk)
{
    Scenario s;
    prefork(s, 4);
    uint64_t clock = 0;
    for (int i = 0; i < 2000; i++) {
        s.after_us(2000).arrives(3, 1);
        clock += 20000;
        for (uint32_t pid = kFirst + 1; pid < kFirst + 4; pid++)
            s.process(pid).epoll(static_cast<int>(pid)).woken(pid, 3, clock);
        s.process(kFirst).epoll(kFirst).delivered(3, EPOLLIN).accept(3, 50);
    }
    EXPECT_EQ(s.alarms(), "");
    EXPECT_EQ(s.verdict("EP401"), "risk");
}

TEST(ThunderingHerd, WorkersThatDoLittleElseAreConfirmed)
{
    Scenario s(Profile::kProduction);
    prefork(s, 6);
    busy_load(s, 6, 3000, 8, 5000, 50000);
    EXPECT_EQ(s.alarms(), "EP401 confirmed");
}

TEST(ThunderingHerd, OneEpollWakesOneThread)
{
    Scenario s;  // asio, tokio: whoever polls is woken by an eventfd that is never read
    s.process(kFirst).epoll(4).add(3, EPOLLIN | EPOLLET, FILE_EVENTFD);
    uint64_t clock = 0;
    for (int i = 0; i < 4000; i++) {
        uint32_t tid = kFirst + i % 3;
        s.process(kFirst).thread(tid).epoll(4).wait();
        s.after_us(1000).arrives(3, 1).woken(tid, 3, clock += 20000).delivered(3, EPOLLIN);
    }
    EXPECT_EQ(s.verdict("EP401"), "none");
}

// ivykis (syslog-ng): one eventfd that is never read, in each thread's epoll with mask 0; a MOD to ONESHOT wakes one.
TEST(ThunderingHerd, AWakeUpForOneWaiterIsNoHerd)
{
    Scenario s;
    for (uint32_t tid = kFirst; tid < kFirst + 8; tid++)
        s.process(kFirst).thread(tid).epoll(static_cast<int>(tid)).add(3, 0, FILE_EVENTFD).wait();
    s.arrives(3, 1);
    uint64_t clock = 0;
    for (int i = 0; i < 8000; i++) {
        uint32_t tid = kFirst + i % 8;
        s.process(kFirst).thread(tid).epoll(static_cast<int>(tid)).mod(3, EPOLLIN | EPOLLONESHOT);
        s.after_us(1000).woken(tid, 3, clock += 20000, true).delivered(3, EPOLLIN).wait();
    }
    EXPECT_EQ(s.verdict("EP401"), "none");
    EXPECT_EQ(s.file(3).wasted_wakes, 0u);
}

// Pollers that leave accept() to a thread which waits for nothing (Erlang's schedulers).
TEST(ThunderingHerd, AcceptHandedToASchedulerIsNotWasted)
{
    for (bool before : {true, false}) {
        Scenario s;
        for (uint32_t tid = kFirst; tid < kFirst + 6; tid++)
            s.process(kFirst).thread(tid).epoll(static_cast<int>(tid)).add(3, EPOLLIN, FILE_LISTENER).wait();
        uint64_t clock = 0;
        for (int i = 0; i < 3000; i++) {
            uint32_t tid = kFirst + i % 6;
            s.after_us(2000).arrives(3, 1).process(kFirst).thread(tid).epoll(static_cast<int>(tid));
            s.woken(tid, 3, clock += 20000).delivered(3, EPOLLIN);
            if (before)
                s.thread(900).accept(3, 50).thread(tid).wait();
            else
                s.wait().thread(900).accept(3, 50);
        }
        EXPECT_EQ(s.verdict("EP401"), "none");
    }
}

TEST(ThunderingHerd, AWakeUpOfUseAfterAllIsTakenBackInTheNextWindow)
{
    Scenario s;
    for (uint32_t tid = kFirst; tid < kFirst + 6; tid++)
        s.process(kFirst).thread(tid).epoll(static_cast<int>(tid)).add(3, EPOLLIN, FILE_LISTENER).wait();
    uint64_t clock = 0;
    auto told = [&](uint32_t tid) {
        s.arrives(3, 1).thread(tid).epoll(static_cast<int>(tid)).woken(tid, 3, clock += 20000).delivered(3, EPOLLIN);
    };
    // Two connections are accepted before their two pollers wait again: both seem wasted for a while.
    s.after_ms(10).process(kFirst);
    told(kFirst);
    told(kFirst + 1);
    s.thread(900).accept(3, 50).accept(3, 51);
    s.thread(kFirst).epoll(kFirst).wait().thread(kFirst + 1).epoll(kFirst + 1).wait();
    for (int i = 0; i < 3000; i++) {
        uint32_t tid = kFirst + i % 6;
        s.after_us(2000).process(kFirst);
        told(tid);
        s.wait().thread(900).accept(3, 50);
        if (i == 1500)  // the scheduler finds one more than it was told of
            s.arrives(3, 1).accept(3, 51);
    }
    EXPECT_EQ(s.verdict("EP401"), "none");
}

TEST(ThunderingHerd, AHerdThatHandsOverIsOne)
{
    Scenario s;  // all six pollers are told, and one of the six finds a scheduler's thanks
    for (uint32_t tid = kFirst; tid < kFirst + 6; tid++)
        s.process(kFirst).thread(tid).epoll(static_cast<int>(tid)).add(3, EPOLLIN, FILE_LISTENER).wait();
    uint64_t clock = 0;
    for (int i = 0; i < 2000; i++) {
        s.after_us(3000).arrives(3, 1);
        clock += 20000;
        for (uint32_t tid = kFirst; tid < kFirst + 6; tid++)
            s.thread(tid).epoll(static_cast<int>(tid)).woken(tid, 3, clock).delivered(3, EPOLLIN).wait();
        s.thread(900).accept(3, 50);
    }
    EXPECT_EQ(s.alarms(), "EP401 confirmed");
}

TEST(ThunderingHerd, ExclusiveWakesOne)
{
    Scenario s;
    prefork(s, 6);
    load(s, 1, 300, 4, 20000);
    EXPECT_EQ(s.verdict("EP401"), "none");
}

TEST(ThunderingHerd, TwoWorkersAreNoHerd)
{
    Scenario s;
    prefork(s, 2);
    load(s, 2, 300, 4, 20000);
    EXPECT_EQ(s.alarms(), "");
}

TEST(ThunderingHerd, RareBroadcastsAreQuiet)
{
    Scenario s;  // tokio's signal socketpair, shutdown wake-ups
    prefork(s, 6);
    load(s, 6, 1, 10, 20000);
    EXPECT_EQ(s.verdict("EP401"), "none");
}

TEST(ThunderingHerd, DrainEndingInEagainIsNoWaste)
{
    Scenario s;  // redis, Python, haproxy: one success, then EAGAIN
    prefork(s, 3);
    uint64_t clock = 0;
    for (int i = 0; i < 1000; i++) {
        s.after_us(3000).arrives(3, 3);
        clock += 20000;
        for (uint32_t pid = kFirst; pid < kFirst + 3; pid++) {
            s.process(pid).epoll(static_cast<int>(pid)).woken(pid, 3, clock);
            s.delivered(3, EPOLLIN).accept(3, 50).accept(3, -EAGAIN).wait();
        }
    }
    EXPECT_EQ(s.verdict("EP401"), "none");
    EXPECT_EQ(s.file(3).wasted_wakes, 0u);
}

TEST(ThunderingHerd, LosersThatTryAndFailAreWaste)
{
    Scenario s;  // on many CPUs the losers return from epoll_wait and get EAGAIN
    prefork(s, 6);
    uint64_t clock = 0;
    for (int i = 0; i < 1500; i++) {
        s.after_us(3000).arrives(3, 1);
        clock += 20000;
        for (uint32_t pid = kFirst; pid < kFirst + 6; pid++)
            s.process(pid).epoll(static_cast<int>(pid)).woken(pid, 3, clock).delivered(3, EPOLLIN);
        for (uint32_t pid = kFirst; pid < kFirst + 6; pid++)
            s.process(pid).epoll(static_cast<int>(pid)).accept(3, pid == kFirst ? 50 : -EAGAIN).wait();
    }
    EXPECT_EQ(s.alarms(), "EP401 confirmed");
}

}  // namespace
}  // namespace epaudit
