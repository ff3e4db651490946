// SPDX-License-Identifier: Apache-2.0
// EP404 from a log: what proves that a loop stood still, and what does not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "rules/catalogue.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

constexpr int kRounds = 4;

// A server of three clients, as strace -f -ttt -T -o FILE shows it: epoll fd 4, clients 7, 8 and 9.
class Server {
public:
    enum class Stamps { kFine, kSeconds, kNone };
    bool durations = true;
    bool pids = true;
    static inline Stamps usual = Stamps::kFine;  // of the test that runs
    Stamps stamps;
    uint32_t tid = 100;

    Server() : stamps(usual), auditor_(Profile::kProduction, make_rules()), log_(auditor_, 1024) {}

    Server& born()
    {
        call("execve(\"/usr/bin/server\", [\"server\"], 0x7ffd0a5e2a50 /* 20 vars */) = 0");
        return begins();
    }

    Server& begins()
    {
        call("epoll_create1(EPOLL_CLOEXEC) = 4");
        call("socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3");
        call("listen(3, 128) = 0");
        call("openat(AT_FDCWD, \"/var/lib/server/log\", O_RDWR|O_APPEND) = 5");
        call("socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 12");
        call("socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 13");
        for (int fd : {7, 8, 9}) {
            call(
                fmt::format("accept4(3, {{sa_family=AF_INET, sin_port=htons({}), sin_addr=inet_addr(\"127.0.0.1\")}}, "
                            "[16], SOCK_NONBLOCK) = {}",
                            5000 + fd, fd));
            call(fmt::format("epoll_ctl(4, EPOLL_CTL_ADD, {}, {{events=EPOLLIN, data={{u32={}, u64={}}}}}) = 0", fd, fd,
                             fd));
        }
        return *this;
    }

    Server& call(const std::string& text, uint64_t us = 15)
    {
        line(text + (durations ? fmt::format(" <{}.{:06}>", us / 1000000, us % 1000000) : ""));
        return after(us + 20);
    }

    int most = 64;  // events that a wait asks for

    Server& wait(const std::vector<int>& fds, uint64_t us, int timeout = -1)
    {
        std::string events;
        for (int fd : fds)
            events += fmt::format("{}{{events=EPOLLIN, data={{u32={}, u64={}}}}}", events.empty() ? "" : ", ", fd, fd);
        return call(fmt::format("epoll_wait(4, [{}], {}, {}) = {}", events, most, timeout, fds.size()), us);
    }

    Server& serve(int fd)
    {
        call(fmt::format("recvfrom({}, \"ping\\n\", 4096, 0, NULL, NULL) = 5", fd));
        return call(fmt::format("sendto({}, \"pong\\n\", 5, MSG_NOSIGNAL, NULL, 0) = 5", fd));
    }

    void line(const std::string& text)
    {
        std::string stamp = stamps == Stamps::kFine      ? fmt::format("{}.{:06} ", us_ / 1000000, us_ % 1000000)
                            : stamps == Stamps::kSeconds ? fmt::format("{} ", us_ / 1000000)
                                                         : "";
        log_.line((pids ? fmt::format("{} ", tid) : "") + stamp + text);
    }

    Server& after(uint64_t us)
    {
        us_ += us;
        return *this;
    }

    // Client 7 is served, the loop does `handle`, and the others are there when it polls again.
    Server& round(const std::function<void(Server&)>& handle, uint64_t waited = 30)
    {
        wait({7}, 20000).serve(7);
        handle(*this);
        return wait({8, 9}, waited).serve(8).serve(9);
    }

    Server& rounds(const std::function<void(Server&)>& handle, uint64_t waited = 30)
    {
        for (int i = 0; i < kRounds; i++)
            round(handle, waited);
        return *this;
    }

    std::string verdict()
    {
        log_.finish();
        for (const Finding& finding : auditor_.findings())
            if (finding.rule == "EP404") {
                found = finding;
                return level_name(finding.level);
            }
        return "none";
    }

    Status status()
    {
        for (const RuleCoverage& rule : auditor_.coverage(log_.sight()))
            if (rule.rule == "EP404")
                return rule.status;
        return Status::kAvailable;
    }

    Finding found;

private:
    Auditor auditor_;
    StraceImport log_;
    uint64_t us_ = 1700000000ULL * 1000000;
};

std::function<void(Server&)> blocked(const std::string& call, uint64_t us = 250000)
{
    return [=](Server& s) { s.call(call, us); };
}

const auto kSleep = blocked("clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=250000000}, 0x7ffc0) = 0");

TEST(StraceStall, ABlockingCallInTheHandlerIsNamed)
{
    for (const auto& [call, name] : std::map<std::string, std::string>{
             {"nanosleep({tv_sec=0, tv_nsec=250000000}, NULL) = 0", "nanosleep"},
             {"clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=250000000}, 0x7ffc0) = 0", "clock_nanosleep"},
             {"fsync(5) = 0", "fsync"},
             {"flock(5, LOCK_EX) = 0", "flock"},
             {"wait4(4711, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 4711", "wait4"},
             {"poll([{fd=12, events=POLLIN}], 1, 5000) = 1 ([{fd=12, revents=POLLIN}])", "poll"},
             {"select(13, [12], NULL, NULL, {tv_sec=5, tv_usec=0}) = 1 (in [12], left {tv_sec=4, "
              "tv_usec=750000})",
              "select"},
             {"select(0, NULL, NULL, NULL, {tv_sec=0, tv_usec=250000}) = 0 (Timeout)", "select"},
             {"connect(13, {sa_family=AF_INET, sin_port=htons(5432), sin_addr=inet_addr(\"10.0.0.1\")}, 16) "
              "= 0",
              "connect"},
             {"recvfrom(13, \"row\", 8192, 0, NULL, NULL) = 3", "recvfrom"},
             {"read(5, \"text\", 8192) = 4", "read"},
             {"pwrite64(5, \"text\", 4, 0) = 4", "pwrite64"},
             {"openat(AT_FDCWD, \"/mnt/nfs/file\", O_RDONLY) = 14", "openat"}}) {
        Server s;
        EXPECT_EQ(s.born().rounds(blocked(call)).verdict(), "likely") << call;
        EXPECT_EQ(s.found.shape, "blocked in " + name);
        EXPECT_EQ(s.found.count, uint64_t{kRounds});
        EXPECT_NEAR(s.found.cost.at(0).second, 0.25, 0.001);
        EXPECT_EQ(s.found.cost.at(2).second, 2);
        EXPECT_EQ(s.status(), Status::kDegraded);
    }
}

// A loop that asks for one event at a time is told of the two that wait in two returns.
TEST(StraceStall, OneEventAtATime)
{
    auto round = [](Server& s, uint64_t sleep_us, uint64_t pause_us) {
        s.wait({7}, 20000).serve(7).call("poll([{fd=12, events=POLLIN}], 1, 2000) = 0 (Timeout)", sleep_us);
        s.wait({8}, 30).serve(8);
        s.after(pause_us);
        s.wait({9}, 30).serve(9);
    };
    auto verdict = [&](int most, uint64_t sleep_us, uint64_t pause_us) {
        Server s;
        s.most = most;
        s.born();
        for (int i = 0; i < kRounds; i++)
            round(s, sleep_us, pause_us);
        return s.verdict();
    };
    EXPECT_EQ(verdict(1, 2000000, 0), "likely");
    EXPECT_EQ(verdict(1, 200000, 100000), "none") << "fd 9 may have become ready while 8 was served";
    EXPECT_EQ(verdict(2, 2000000, 0), "none") << "there was room for fd 9 in the first return: it was not ready yet";
}

TEST(StraceStall, NeverMoreThanLikelyAndNotBeforeTheThird)
{
    Server lasting;
    EXPECT_EQ(lasting.born().round(blocked("fsync(5) = 0", 3000000)).verdict(), "none");
    Server often;
    often.born();
    for (int i = 0; i < 5; i++)
        often.rounds(blocked("fsync(5) = 0", 2000000));
    EXPECT_EQ(often.verdict(), "likely");
    Server twice;
    EXPECT_EQ(twice.born().round(kSleep).round(kSleep).verdict(), "none");
}

TEST(StraceStall, PoolThatWaitsForAWorkerIsARisk)
{
    Server s;
    EXPECT_EQ(s.born().rounds(blocked("futex(0x7f0a1c0, FUTEX_WAIT_PRIVATE, 2, NULL) = 0")).verdict(), "risk");
}

TEST(StraceStall, AnInterruptedLineShowsItsEndToo)
{
    for (bool durations : {true, false}) {
        Server s;
        s.durations = durations;
        s.born().rounds([](Server& server) {
            server.line("nanosleep({tv_sec=0, tv_nsec=250000000},  <unfinished ...>");
            server.tid = 101;
            server.after(1000).call("write(1, \"x\", 1) = 1").after(250000);
            server.tid = 100;
            server.line(server.durations ? "<... nanosleep resumed>NULL) = 0 <0.251030>"
                                         : "<... nanosleep resumed>NULL) = 0");
            server.after(20);
        });
        EXPECT_EQ(s.verdict(), "likely") << durations;
    }
}

TEST(StraceStall, APollingLoopThatSleepsStalls)
{
    Server s;
    s.born();
    for (int i = 0; i < kRounds; i++)
        s.wait({7}, 20, 0)
            .serve(7)
            .call("nanosleep({tv_sec=0, tv_nsec=150000000}, NULL) = 0", 150000)
            .wait({8, 9}, 5000, 0)
            .serve(8)
            .serve(9);
    EXPECT_EQ(s.verdict(), "likely") << "a wait with timeout 0 never waits, however long strace takes for it";
}

TEST(StraceStall, WhatAnAttachedStraceSaysOfItsThreads)
{
    Server midrun;  // -f -o: all threads are there
    EXPECT_EQ(midrun.begins().rounds(kSleep).verdict(), "likely");
    Server one;  // no -f, but from birth: there is no other
    one.pids = false;
    EXPECT_EQ(one.born().rounds(kSleep).verdict(), "likely");
    Server alone;  // no -f, attached, and no sign of others: what its calls say stands
    alone.pids = false;
    EXPECT_EQ(alone.begins().rounds(kSleep).verdict(), "likely");
    EXPECT_EQ(alone.status(), Status::kDegraded);
    Server woken;  // somebody is there to be woken
    woken.pids = false;
    woken.begins().call("futex(0x7f10, FUTEX_WAKE_PRIVATE, 1) = 1");
    EXPECT_EQ(woken.rounds(kSleep).verdict(), "none");
}

// It was there before the log began, and what its descriptors are is not known.
TEST(StraceStall, TimeStampsTakeNothingAway)
{
    const auto polls = blocked("poll([{fd=21, events=POLLIN}], 1, 5000) = 0 (Timeout)", 5000000);
    for (bool pids : {true, false})
        for (Server::Stamps stamps : {Server::Stamps::kNone, Server::Stamps::kSeconds, Server::Stamps::kFine}) {
            Server s;
            s.stamps = stamps;
            s.pids = pids;
            EXPECT_EQ(s.rounds(polls).verdict(), "likely") << pids;
        }
}

// What the program computed before and behind a short sleep is in no call: only time stamps show it.
TEST(StraceStall, AShortSleepInALongHandlerExplainsLittle)
{
    Server s;
    s.pids = false;
    EXPECT_EQ(s.rounds([](Server& one) { kSleep(one.after(400000)); }).verdict(), "none");
}

// -T alone: the call is long by its own word, and then several clients have input at once.
TEST(StraceStall, DurationsAloneShowThem)
{
    Server::usual = Server::Stamps::kNone;
    for (bool pids : {true, false}) {
        Server s;
        s.pids = pids;
        EXPECT_EQ(s.begins().rounds(kSleep).verdict(), "likely") << pids;
        EXPECT_EQ(s.found.shape, "blocked in clock_nanosleep");
        EXPECT_EQ(s.found.count, uint64_t{kRounds});
        EXPECT_NEAR(s.found.cost.at(0).second, 0.25, 0.001);
        EXPECT_EQ(s.status(), Status::kDegraded);
    }
    Server twice;
    EXPECT_EQ(twice.born().round(kSleep).round(kSleep).verdict(), "none");
    Server threads;  // without -f: another one may poll
    threads.pids = false;
    threads.born().call("clone(child_stack=0x7f1, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD) = 101");
    EXPECT_EQ(threads.rounds(kSleep).verdict(), "none");
    Server::usual = Server::Stamps::kFine;
}

// With time stamps, and without.
class StraceStallQuiet : public testing::TestWithParam<Server::Stamps> {
protected:
    void SetUp() override { Server::usual = GetParam(); }
    void TearDown() override { Server::usual = Server::Stamps::kFine; }
};

INSTANTIATE_TEST_SUITE_P(Stamps, StraceStallQuiet, testing::Values(Server::Stamps::kFine, Server::Stamps::kNone),
                         [](const auto& one) { return one.param == Server::Stamps::kFine ? "fine" : "none"; });

TEST_P(StraceStallQuiet, WithoutDurations)
{
    Server untold;  // the next line's time is no end: the program may have computed
    untold.durations = false;
    EXPECT_EQ(untold.born().rounds(kSleep).verdict(), "none");
}

TEST(StraceStall, WholeSecondsTellNoMoreThanNone)
{
    Server coarse;
    coarse.stamps = Server::Stamps::kSeconds;
    EXPECT_EQ(coarse.born().rounds(blocked("fsync(5) = 0", 3000000)).verdict(), "likely");
    EXPECT_EQ(coarse.status(), Status::kDegraded);
    Server untold;
    untold.stamps = Server::Stamps::kSeconds;
    untold.durations = false;
    EXPECT_EQ(untold.born().rounds(blocked("fsync(5) = 0", 3000000)).verdict(), "none");
}

TEST_P(StraceStallQuiet, ShortSleepsAndManyShortCalls)
{
    Server naps;
    naps.born().rounds([](Server& s) {
        for (int i = 0; i < 4; i++)
            s.call("fsync(5) = 0", 90000);
    });
    EXPECT_EQ(naps.verdict(), "none");
    Server busy;
    busy.born().rounds([](Server& s) {
        for (int i = 0; i < 300; i++)
            s.call("pwrite64(5, \"text\", 4, 0) = 4", 1000);
    });
    EXPECT_EQ(busy.verdict(), "none");
    Server mixed;  // a short sleep explains little of the gap
    mixed.born().rounds([](Server& s) {
        s.call("fsync(5) = 0", 110000);
        for (int i = 0; i < 300; i++)
            s.call("pwrite64(5, \"text\", 4, 0) = 4", 1000);
    });
    EXPECT_EQ(mixed.verdict(), "none");
    Server computes;
    EXPECT_EQ(computes.born().rounds([](Server& s) { s.after(500000); }).verdict(), "none");
}

TEST_P(StraceStallQuiet, TheNextWaitHadToWait)
{
    Server s;
    EXPECT_EQ(s.born().rounds(kSleep, 3000).verdict(), "none");
}

TEST_P(StraceStallQuiet, OneClient)
{
    Server s;
    s.born();
    for (int i = 0; i < kRounds; i++) {
        s.wait({7}, 20000).serve(7);
        kSleep(s);
        s.wait({8}, 30).serve(8);
    }
    EXPECT_EQ(s.verdict(), "none");
}

TEST_P(StraceStallQuiet, AnotherThreadPolls)
{
    Server s;
    s.born();
    s.call("clone(child_stack=0x7f1, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD) = 101");
    for (int i = 0; i < kRounds; i++) {
        s.wait({7}, 20000).serve(7);
        s.line("nanosleep({tv_sec=0, tv_nsec=250000000},  <unfinished ...>");
        s.tid = 101;
        s.after(1000).wait({8, 9}, 100000).serve(8).serve(9).after(150000);
        s.tid = 100;
        s.line("<... nanosleep resumed>NULL) = 0 <0.251030>");
        s.after(20).wait({8, 9}, 30).serve(8).serve(9);
    }
    EXPECT_EQ(s.verdict(), "none");
}

TEST_P(StraceStallQuiet, AnotherThreadIsThereToPoll)
{
    Server s;
    s.born();
    s.call("clone(child_stack=0x7f1, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD) = 101");
    s.tid = 101;
    s.line("epoll_wait(4,  <unfinished ...>");
    s.tid = 100;
    EXPECT_EQ(s.after(20).rounds(kSleep).verdict(), "none");
}

TEST_P(StraceStallQuiet, TheEpollItselfIsPolled)
{
    for (const char* call : {"poll([{fd=4, events=POLLIN}], 1, 5000) = 1 ([{fd=4, revents=POLLIN}])",
                             "ppoll([{fd=12, events=POLLIN}, {fd=4, events=POLLIN}], 2, NULL, NULL, 8) = 1",
                             "poll([{fd=33, events=POLLIN}], 1, 5000) = 1",  // not known: another epoll?
                             "poll([{fd=12, events=POLLIN}, ...], 40, 5000) = 1", "poll(0x7ffd1, 1, 5000) = 1",
                             "select(5, [4 12], NULL, NULL, NULL) = 1 (in [4])",
                             "io_getevents(0x7f2a, 1, 64, [{data=0, obj=0x5, res=1, res2=0}], NULL) = 1"}) {
        Server s;  // glib and Electron wait so for the loop that they embed
        EXPECT_EQ(s.born().rounds(blocked(call, 2000000)).verdict(), "none") << call;
    }
}

TEST_P(StraceStallQuiet, CallsThatCannotSleep)
{
    for (const char* call : {"recvfrom(7, \"ping\\n\", 4096, 0, NULL, NULL) = 5",  // non-blocking
                             "recvfrom(13, \"row\", 8192, MSG_DONTWAIT, NULL, NULL) = 3",
                             "recvfrom(40, \"row\", 8192, 0, NULL, NULL) = 3",  // from before the log
                             "clock_gettime(CLOCK_REALTIME, {tv_sec=1700000000, tv_nsec=0}) = 0",
                             "epoll_ctl(4, EPOLL_CTL_MOD, 7, {events=EPOLLIN, data={u32=7, u64=7}}) = 0"}) {
        Server s;
        EXPECT_EQ(s.born().rounds(blocked(call)).verdict(), "none") << call;
    }
}

TEST_P(StraceStallQuiet, WhereNothingSleepsAndAllIsSlow)
{
    Server starved;
    starved.born().rounds([](Server& s) { s.call("getpid() = 100", 110000).call("fsync(5) = 0", 150000); });
    EXPECT_EQ(starved.verdict(), "none");
    Server stopped;
    stopped.born().rounds([](Server& s) {
        s.line("--- stopped by SIGSTOP ---");
        kSleep(s);
    });
    EXPECT_EQ(stopped.verdict(), "none");
}

TEST_P(StraceStallQuiet, InputThatTheLoopLeftOrBrought)
{
    Server left;  // both were told of before, and read in part
    left.born();
    for (int i = 0; i < kRounds; i++) {
        left.wait({7, 8, 9}, 20000).serve(7);
        for (int fd : {8, 9})
            left.call(fmt::format("recvfrom({}, \"pingpingping\"..., 16, 0, NULL, NULL) = 16", fd));
        kSleep(left);
        left.wait({8, 9}, 30).serve(8).serve(9);
    }
    EXPECT_EQ(left.verdict(), "none");

    Server brought;  // subscribers acknowledge what is published after the sleep
    brought.born().rounds([](Server& s) {
        kSleep(s);
        for (int fd : {8, 9})
            s.call(fmt::format("sendto({}, \"news\\n\", 5, MSG_NOSIGNAL, NULL, 0) = 5", fd));
    });
    EXPECT_EQ(brought.verdict(), "none");

    Server drained;  // told of in the same batch, but served to the end before the sleep: this is new input
    drained.born();
    for (int i = 0; i < kRounds; i++) {
        drained.wait({7, 8, 9}, 20000).serve(8).serve(9).serve(7);
        kSleep(drained);
        drained.wait({8, 9}, 30).serve(8).serve(9);
    }
    EXPECT_EQ(drained.verdict(), "likely");
}

TEST_P(StraceStallQuiet, ThePeersAreGone)
{
    Server s;
    s.born();
    for (int i = 0; i < kRounds; i++) {
        s.wait({7}, 20000).serve(7);
        kSleep(s);
        s.call(
            "epoll_wait(4, [{events=EPOLLIN|EPOLLRDHUP, data={u32=8, u64=8}}, {events=EPOLLIN|EPOLLHUP, "
            "data={u32=9, "
            "u64=9}}], 64, -1) = 2",
            30);
    }
    EXPECT_EQ(s.verdict(), "none");
}

}  // namespace
}  // namespace epaudit
