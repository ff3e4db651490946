// SPDX-License-Identifier: Apache-2.0
// EP106 of sockets that no epoll holds: what the look at descriptors says (bpf/unregistered.h), told by hand.
#include <gtest/gtest.h>

#include <functional>

#include "rules/catalogue.h"
#include "src/books/describe.h"
#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

constexpr uint32_t kProcess = 100;

unregistered_socket connection(int fd = 7)
{
    unregistered_socket s{};
    s.file = 0x5000 + static_cast<uint64_t>(fd);
    s.ino = 900 + static_cast<uint64_t>(fd);
    s.kind = FILE_TCP;
    s.state.sk_state = SK_ESTABLISHED;
    s.state.unread = 40;
    s.tgid = kProcess;
    s.fd = fd;
    s.holders = 1;
    s.waiting = 1;
    return s;
}

unregistered_socket listener()
{
    unregistered_socket s = connection(3);
    s.kind = FILE_LISTENER;
    s.state = {};
    s.state.backlog = 2;
    return s;
}

using Sockets = std::vector<unregistered_socket>;

// A loop that wakes up every half second, and a look at descriptors each time.
struct Loop {
    Scenario s;
    Auditor auditor;

    explicit Loop(Profile profile = Profile::kTest) : s(profile), auditor(profile, make_rules())
    {
        s.add(4, EPOLLIN, FILE_LISTENER).wait(500);
    }

    Loop& looks(unsigned times, const Sockets& sockets, bool wakes_up = true)
    {
        for (unsigned i = 0; i < times; i++) {
            s.after_ms(500);
            if (wakes_up)
                s.returned(0).wait(500);
            Snapshot books = s.snapshot();
            books.unregistered = sockets;
            auditor.look(books);
        }
        return *this;
    }

    std::string verdict() const
    {
        std::string levels;
        for (const Finding& finding : auditor.findings())
            if (finding.rule == "EP106")
                levels += std::string(levels.empty() ? "" : " ") + level_name(finding.level);
        return levels.empty() ? "none" : levels;
    }
};

std::string verdict_of(const std::function<void(unregistered_socket&)>& but)
{
    unregistered_socket s = connection();
    but(s);
    return Loop().looks(12, {s}).verdict();
}

TEST(Unregistered, AcceptedAndForgotten)
{
    Loop loop;
    loop.looks(5, {connection()});
    EXPECT_EQ(loop.verdict(), "none");
    loop.looks(4, {connection()});
    EXPECT_EQ(loop.verdict(), "likely");
    const Finding finding = loop.auditor.findings().at(0);
    EXPECT_EQ(finding.fd.number, 7);
    EXPECT_EQ(finding.epoll_fd, 4);
    EXPECT_EQ(finding.pid, kProcess);
    EXPECT_EQ(finding.shape, "accepted, never registered, never read");
}

TEST(Unregistered, HalfAMinuteInProduction)
{
    Loop loop(Profile::kProduction);
    loop.looks(58, {connection()});
    EXPECT_EQ(loop.verdict(), "none");
    loop.looks(6, {connection()});
    EXPECT_EQ(loop.verdict(), "likely");
}

TEST(Unregistered, ThreeAreConfirmed)
{
    EXPECT_EQ(Loop().looks(12, {connection(7), connection(8), connection(9)}).verdict(), "confirmed");
}

TEST(Unregistered, AListenerToo)
{
    Loop loop;
    loop.looks(12, {listener()});
    EXPECT_EQ(loop.verdict(), "likely");
    EXPECT_EQ(loop.auditor.findings().at(0).shape, "a listener, never registered");
}

// Its loop serves others: it may be about to take up this one.
TEST(Unregistered, AListenerBesideConnectionsIsARisk)
{
    Loop loop;
    loop.s.add(9, EPOLLIN, FILE_TCP);
    EXPECT_EQ(loop.looks(12, {listener()}).verdict(), "risk");
}

TEST(Unregistered, WhoMayComeKeepsItARisk)
{
    EXPECT_EQ(verdict_of([](auto&) {}), "likely");
    EXPECT_EQ(verdict_of([](auto& s) { s.awake = 1, s.awake_call = -1; }), "risk");  // at work
    EXPECT_EQ(verdict_of([](auto& s) { s.awake = 1, s.awake_call = 7; }), "risk");   // in poll()
    EXPECT_EQ(verdict_of([](auto& s) { s.served = 1; }), "risk");                    // its turn comes
    EXPECT_EQ(verdict_of([](auto& s) { s.connecting = 1; }), "risk");                // a proxy
    EXPECT_EQ(verdict_of([](auto& s) { s.flags |= SOCKET_EARLY; }), "risk");         // attached later
}

TEST(Unregistered, NoLoopNoFinding)
{
    EXPECT_EQ(verdict_of([](auto& s) { s.waiting = 0, s.awake = 1; }), "none");
}

// Somebody was at work until a moment ago.
TEST(Unregistered, PatienceBeginsWhenAllSleep)
{
    unregistered_socket busy = connection();
    busy.awake = 1;
    Loop loop;
    loop.looks(12, {busy}).looks(1, {connection()});
    EXPECT_EQ(loop.verdict(), "risk");
    loop.looks(3, {connection()});
    EXPECT_EQ(loop.verdict(), "likely");
}

// nginx waits for a connection to somebody else, by a timeout of a minute.
TEST(Unregistered, ATimerMayBeForIt)
{
    Loop loop;
    EXPECT_EQ(loop.looks(12, {connection()}, false).verdict(), "risk");
    EXPECT_EQ(loop.looks(3, {connection()}).verdict(), "likely");
}

TEST(Unregistered, WhoAsksSomebodyElseWaitsForAnAnswer)
{
    Loop loop;
    loop.s.writes_unwatched(9);
    EXPECT_EQ(loop.looks(12, {connection()}).verdict(), "risk");
}

TEST(Unregistered, ServedInTheEndIsTakenBack)
{
    unregistered_socket late = connection();
    late.flags = SOCKET_TOUCHED | SOCKET_LATE;
    Loop loop;
    loop.looks(12, {connection()}).looks(1, {late});
    EXPECT_EQ(loop.verdict(), "none");
    EXPECT_EQ(loop.looks(12, {connection(8)}).verdict(), "risk");
}

TEST(Unregistered, GoneIsForgotten)
{
    Loop loop;
    loop.looks(5, {connection()}).looks(1, {}).looks(5, {connection()});
    EXPECT_EQ(loop.verdict(), "none");
}

// Looks are seconds apart where descriptors are many: only what they saw counts.
TEST(Unregistered, BetweenLooksNothingIsKnown)
{
    Loop loop;
    loop.looks(5, {connection()});
    for (int i = 0; i < 20; i++) {
        loop.s.after_ms(500).returned(0).wait(500);
        loop.auditor.look(loop.s.snapshot());
    }
    EXPECT_EQ(loop.verdict(), "none");
    EXPECT_EQ(loop.looks(1, {connection()}).verdict(), "likely");
}

TEST(Unregistered, AStoppedProcessIsNoHang)
{
    Loop loop;
    loop.s.stopped(true);
    EXPECT_EQ(loop.looks(12, {connection()}).verdict(), "none");
}

// What hung when we came is named, and no verdict is given.
TEST(Unregistered, FromTheStartIsInconclusive)
{
    unregistered_socket early = connection();
    early.flags = SOCKET_EARLY;
    Loop loop;
    loop.looks(12, {early});
    ASSERT_EQ(loop.auditor.findings().size(), 1U);
    EXPECT_TRUE(loop.auditor.findings().at(0).inconclusive);
}

}  // namespace
}  // namespace epaudit
