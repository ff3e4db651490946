// SPDX-License-Identifier: Apache-2.0
// What is progress and what is not: calls that fail, calls that change nothing, messages without bytes.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

std::string fact(const Finding& f, const std::string& name)
{
    for (const auto& [key, text] : f.facts) {
        if (key == name)
            return text;
    }
    return {};
}

// One loop that answers each report by the same failing call.
struct Answer {
    const char* name;
    uint8_t file;
    uint32_t mask;
    uint32_t reported;
    uint8_t call;
    int error;
    const char* rule;
    const char* told;
};

class AnsweredByAFailingCall : public testing::TestWithParam<Answer> {};

TEST_P(AnsweredByAFailingCall, IsASpin)
{
    const Answer& a = GetParam();
    for (Profile profile : {Profile::kTest, Profile::kProduction}) {
        Scenario s(profile);
        s.add(7, a.mask, a.file).arrives(7, a.reported & EPOLLIN ? 10 : 0);
        s.spin(7, a.reported, 6000, 500, [&](Scenario& t) { t.fails(7, a.call, a.error); });
        EXPECT_EQ(s.alarms(), std::string(a.rule) + " confirmed");
        Finding f = s.finding(a.rule);
        EXPECT_EQ(f.shape, std::string(a.told) + " between returns");
        std::string answered = fact(f, "answered by");
        EXPECT_EQ(answered.substr(0, answered.find(',')), a.told);
        uint64_t times = std::stoull(answered.substr(answered.find(',') + 2));
        EXPECT_LE(times, f.count + 2);
        EXPECT_GE(times + 2, f.count);
        EXPECT_NE(f.fix.find("will fail again"), std::string::npos);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Calls, AnsweredByAFailingCall,
    testing::Values(
        Answer{"ReadEnotconn", FILE_TCP, EPOLLIN | EPOLLOUT, EPOLLOUT | EPOLLHUP, POSTING_READ, ENOTCONN, "EP204",
               "read = ENOTCONN"},
        Answer{"WriteEpipe", FILE_TCP, EPOLLOUT, EPOLLOUT | EPOLLHUP, POSTING_WRITE, EPIPE, "EP204", "write = EPIPE"},
        Answer{"WriteEpipeOfAPipe", FILE_PIPE, EPOLLOUT, EPOLLOUT | EPOLLERR, POSTING_WRITE, EPIPE, "EP204",
               "write = EPIPE"},
        Answer{"WriteEnetunreach", FILE_UDP, EPOLLOUT, EPOLLOUT, POSTING_WRITE, ENETUNREACH, "EP201",
               "write = ENETUNREACH"},
        Answer{"WriteEmsgsize", FILE_UDP, EPOLLOUT, EPOLLOUT, POSTING_WRITE, EMSGSIZE, "EP201", "write = EMSGSIZE"},
        Answer{"WriteEconnrefused", FILE_UNIX, EPOLLOUT, EPOLLOUT, POSTING_WRITE, ECONNREFUSED, "EP201",
               "write = ECONNREFUSED"},
        Answer{"ConnectEisconn", FILE_TCP, EPOLLOUT, EPOLLOUT, POSTING_CONNECT, EISCONN, "EP201", "connect = EISCONN"},
        Answer{"ConnectEalready", FILE_TCP, EPOLLOUT, EPOLLOUT | EPOLLHUP, POSTING_CONNECT, EALREADY, "EP204",
               "connect = EALREADY"},
        Answer{"ConnectEagain", FILE_UNIX, EPOLLOUT, EPOLLOUT | EPOLLHUP, POSTING_CONNECT, EAGAIN, "EP204",
               "connect = EAGAIN"},
        Answer{"ReadEinval", FILE_TIMERFD, EPOLLIN, EPOLLIN, POSTING_READ, EINVAL, "EP202", "read = EINVAL"},
        Answer{"ReadEnotsock", FILE_PIPE, EPOLLIN, EPOLLIN, POSTING_READ, ENOTSOCK, "EP202", "read = ENOTSOCK"},
        Answer{"AcceptEinval", FILE_TCP, EPOLLIN, EPOLLIN, POSTING_ACCEPT, EINVAL, "EP202", "accept = EINVAL"},
        Answer{"AcceptEnotsock", FILE_EVENTFD, EPOLLIN, EPOLLIN, POSTING_ACCEPT, ENOTSOCK, "EP202",
               "accept = ENOTSOCK"},
        Answer{"AcceptEperm", FILE_LISTENER, EPOLLIN, EPOLLIN, POSTING_ACCEPT, EPERM, "EP202", "accept = EPERM"},
        Answer{"ShutdownEnotconn", FILE_TCP, 0, EPOLLHUP, POSTING_SHUTDOWN, ENOTCONN, "EP204", "shutdown = ENOTCONN"}),
    [](const auto& one) { return one.param.name; });

TEST(FailedCalls, ThePendingErrorIsTakenOnce)
{
    Scenario s;  // the peer has reset the connection: one read tells of it, all writes after it fail
    s.add(7, EPOLLIN | EPOLLOUT, FILE_TCP).reset(7).delivered(7, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
    uint32_t moves = s.file(7).moves;
    s.fails(7, POSTING_READ, ECONNRESET);
    EXPECT_EQ(s.file(7).moves, moves + 1);
    s.state(7).aux = 0;
    s.spin(7, EPOLLIN | EPOLLOUT | EPOLLHUP, 3000, 500, [](Scenario& t) { t.fails(7, POSTING_WRITE, EPIPE); });
    EXPECT_EQ(s.file(7).moves, moves + 1);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
    s.close(7).wait().after_ms(1000);  // and is the same spin afterwards
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(FailedCalls, EachOfTwoIsNamed)
{
    Scenario s;
    s.add(7, EPOLLIN | EPOLLOUT, FILE_TCP).spin(7, EPOLLOUT | EPOLLHUP, 3000, 500, [](Scenario& t) {
        t.fails(7, POSTING_READ, ENOTCONN).fails(7, POSTING_WRITE, EPIPE);
    });
    EXPECT_EQ(s.finding("EP204").shape, "read = ENOTCONN, write = EPIPE between returns");
    EXPECT_EQ(fact(s.finding("EP204"), "answered by").find("read = ENOTCONN, "), 0u);
    EXPECT_NE(fact(s.finding("EP204"), "answered by").find("; write = EPIPE, "), std::string::npos);
}

TEST(FailedCalls, ErrorsOfDatagramsThatGotNoAnswerAreTakenEachTime)
{
    Scenario s;  // nobody listens there: each datagram brings another ECONNREFUSED, taken by recv()
    s.add(7, kIn, FILE_UDP).state(7).aux = ECONNREFUSED;
    s.spin(7, EPOLLERR, 6000, 500, [](Scenario& t) { t.fails(7, POSTING_READ, ECONNREFUSED); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(FailedCalls, AReconnectingClientMakesSomethingHappen)
{
    Scenario s;
    s.add(7, EPOLLOUT, FILE_TCP).spin(7, EPOLLOUT | EPOLLHUP, 3000, 500, [](Scenario& t) {
        t.connects(7, -EINPROGRESS);
    });
    EXPECT_EQ(s.alarms(), "");
}

TEST(FailedCalls, AConnectionThatAbortedWasTakenFromTheQueue)
{
    Scenario s;
    s.add(3, kIn, FILE_LISTENER).arrives(3, 1);
    s.spin(3, kIn, 3000, 500, [](Scenario& t) { t.fails(3, POSTING_ACCEPT, ECONNABORTED); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(InVain, ShutdownOfWhatIsShut)
{
    Scenario s;
    s.add(7, EPOLLRDHUP, FILE_TCP).peer_closes(7).delivered(7, EPOLLRDHUP);
    uint32_t moves = s.file(7).moves;
    s.shuts(7, SHUT_WR);
    EXPECT_EQ(s.file(7).moves, moves + 1);
    s.spin(7, EPOLLRDHUP, 3000, 500, [](Scenario& t) { t.shuts(7, SHUT_WR); });
    EXPECT_EQ(s.file(7).moves, moves + 1);
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
    EXPECT_EQ(s.finding("EP203").shape, "a call that changes nothing between returns");
    s.shuts(7, SHUT_RDWR);  // the other half was open
    EXPECT_EQ(s.file(7).moves, moves + 2);
}

TEST(InVain, AWriteOfNoBytes)
{
    Scenario s;
    s.add(7, EPOLLOUT, FILE_TCP).spin(7, EPOLLOUT, 3000, 500, [](Scenario& t) { t.write(7, 0); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
    EXPECT_EQ(s.finding("EP201").shape, "a call that changes nothing between returns");
}

TEST(InVain, AnEventfdThatIsOnlyWritten)
{
    Scenario s;  // the loop wakes itself and never reads: a larger count is no progress
    s.add(5, kIn, FILE_EVENTFD).arrives(5, 1).spin(5, kIn, 3000, 500, [](Scenario& t) { t.arrives(5, 1).write(5, 8); });
    EXPECT_EQ(s.alarms(), "EP202 confirmed");
}

TEST(InVain, TheNextPeerOfADatagramSocket)
{
    Scenario s;
    s.add(7, EPOLLOUT, FILE_UDP).spin(7, EPOLLOUT, 3000, 500, [](Scenario& t) { t.connects(7, 0); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(EmptyMessages, AreTakenLikeAnyOther)
{
    for (uint8_t kind : {FILE_UDP, FILE_UNIX}) {  // unix: SOCK_DGRAM and SOCK_SEQPACKET
        Scenario s;
        s.add(7, kIn, kind).reuses_buffers(7);
        s.spin(7, kIn, 8000, 500, [](Scenario& t) { t.takes_empty_message(7).arrives(7, 1); });
        EXPECT_EQ(s.alarms(), "");
        EXPECT_EQ(s.file(7).eof_at, 0u);
        EXPECT_EQ(s.file(7).reads, 8000u);
        EXPECT_EQ(s.registration(7).run + s.registration(7).best_run, 0u);
    }
}

TEST(EmptyMessages, AreSentLikeAnyOther)
{
    Scenario s;
    s.add(7, EPOLLOUT, FILE_UDP).spin(7, EPOLLOUT, 3000, 500, [](Scenario& t) { t.sends_empty_message(7); });
    EXPECT_EQ(s.alarms(), "");
}

TEST(EmptyMessages, TheEndOfAUnixStreamIsNone)
{
    Scenario s;
    s.add(7, kIn, FILE_UNIX).peer_closes(7).spin(7, kIn, 3000, 500, [](Scenario& t) { t.read(7, 0); });
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(FoundEmpty, SomebodyUnseenWasFaster)
{
    // A process that is not watched reads the same socket; kernel memory is used again at once.
    for (uint8_t kind : {FILE_UDP, FILE_UNIX, FILE_LISTENER, FILE_EVENTFD, FILE_TIMERFD}) {
        Scenario s;
        s.add(7, kIn, kind).reuses_buffers(7).arrives(7, 1);
        s.spin(7, kIn, 3000, 500, [&](Scenario& t) {
            kind == FILE_LISTENER ? t.fails(7, POSTING_ACCEPT, EAGAIN) : t.fails(7, POSTING_READ, EAGAIN);
        });
        EXPECT_EQ(s.alarms(), "") << int{kind};
    }
}

TEST(FoundEmpty, NotWhereTheReceivingHalfIsShut)
{
    Scenario s;  // datagram_poll() reports input for ever, and there is none
    s.add(7, kIn, FILE_UDP).shuts(7, SHUT_RD);
    s.spin(7, kIn, 3000, 500, [](Scenario& t) { t.fails(7, POSTING_READ, EAGAIN); });
    EXPECT_EQ(s.alarms(), "EP203 confirmed");
}

TEST(FoundEmpty, NotForOutputThatIsReported)
{
    Scenario s;
    s.add(7, EPOLLOUT, FILE_UDP).spin(7, EPOLLOUT, 3000, 500, [](Scenario& t) { t.fails(7, POSTING_READ, EAGAIN); });
    EXPECT_EQ(s.alarms(), "EP201 confirmed");
}

TEST(Listeners, AskingWhetherItIsOneDoesNotMakeItOne)
{
    for (uint8_t kind : {FILE_TCP, FILE_EVENTFD, FILE_UDP}) {
        Scenario s;
        s.add(7, kIn, kind).fails(7, POSTING_ACCEPT, kind == FILE_EVENTFD ? ENOTSOCK : EINVAL);
        EXPECT_EQ(s.file(7).kind, kind);
        s.spin(7, kIn, 3000, 500, [](Scenario& t) { t.arrives(7, 8).read(7, 8); });
        EXPECT_EQ(s.file(7).reads, 3000u);
        EXPECT_EQ(s.alarms(), "");
    }
}

TEST(Listeners, AcceptingMakesItOne)
{
    Scenario s;  // registered before listen()
    s.add(7, kIn, FILE_TCP).accept(7, 9);
    EXPECT_EQ(s.file(7).kind, FILE_LISTENER);
}

}  // namespace
}  // namespace epaudit
