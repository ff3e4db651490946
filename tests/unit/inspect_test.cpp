// SPDX-License-Identifier: Apache-2.0
// epaudit inspect: from the kernel's records to text and JSON.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/books/interest_read.h"
#include "src/report/inspect.h"
#include "tests/unit/interest_records.h"

namespace epaudit {
namespace {

InterestLook look_at(const std::string& files, const std::string& epolls = epoll_record(kPid, 4, kEpoll))
{
    InterestLook look = read_interest(epolls, files, {kPid});
    look.processes[kPid] = {kPid, "server", "/usr/bin/server", RunState::kAlive, 0};
    look.started = 1795241700;
    return look;
}

std::string text_of(const InterestLook& look, bool watching = false)
{
    std::ostringstream out;
    write_inspect_text(look, {false, watching}, out);
    return out.str();
}

nlohmann::json json_of(const InterestLook& look, bool watching = false)
{
    std::ostringstream out;
    write_inspect_json(look, {false, watching}, out);
    return nlohmann::json::parse(out.str());
}

// The only registration there is, as the text tells its state.
std::string state_of(inspect_file file, uint32_t mask = EPOLLIN, int fd = 7)
{
    InterestLook look = look_at(bytes_of(file) + item_record(file, fd, mask));
    return state_text(look.lists.at(0).registrations.at(0), look);
}

TEST(Inspect, Table)
{
    inspect_file a = tcp(0xa, 7), b = file_of(0xb, FILE_EVENTFD, kPid, 12);
    a.state.unread = 12;
    b.state.io = 3;
    InterestLook look = look_at(
        bytes_of(a) + item_record(a, 7, EPOLLIN | EPOLLRDHUP | EPOLLET, true) + bytes_of(b) +
            item_record(b, 12, EPOLLIN),
        epoll_record(kPid, 4, kEpoll, 5'000'000'000) + waiter_record(101, kEpoll, 1'800'000'000));
    look.lists[0].waiters[0].timeout_ms = 250;
    EXPECT_EQ(text_of(look),
              "server[100]  /usr/bin/server\n"
              "\n"
              "  epoll fd 4  2 registrations, 1 ready, 1 thread waits\n"
              "  waits  tid 101 worker, timeout 250 ms, for at most 3.2 s\n"
              "  fd  kind     events    trigger  ready  data  state\n"
              "   7  tcp      IN|RDHUP  edge     ready  0x77  ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555, 12 "
              "bytes unread\n"
              "  12  eventfd  IN        level    -      0x7c  counter 3\n"
              "\n");
}

TEST(Inspect, NoEpollAndNotes)
{
    InterestLook look = read_interest("", "", {kPid});
    look.processes[kPid] = {kPid, "cat", "", RunState::kAlive, 0};
    look.notes.push_back("something is missing");
    EXPECT_EQ(look.without, std::vector<uint32_t>{kPid});
    EXPECT_EQ(text_of(look), "\ncat[100]\n\n  no epoll\n\nnote  something is missing\n");
}

TEST(Inspect, TriggerModes)
{
    auto how = [](uint32_t mask) {
        Registration r;
        r.mask = mask | EPOLLERR | EPOLLHUP;
        return how_text(r);
    };
    EXPECT_EQ(how(EPOLLIN), "level");
    EXPECT_EQ(how(EPOLLIN | EPOLLET), "edge");
    EXPECT_EQ(how(EPOLLIN | EPOLLET | EPOLLONESHOT), "edge,oneshot");
    EXPECT_EQ(how(EPOLLIN | EPOLLEXCLUSIVE | EPOLLWAKEUP), "level,exclusive,wakeup");
    Registration fired;  // the kernel leaves the private bits alone, not even ERR and HUP
    fired.mask = EPOLLONESHOT | EPOLLET;
    EXPECT_EQ(how_text(fired), "edge,oneshot (fired)");
    EXPECT_TRUE(fired.disarmed());
}

TEST(Inspect, TcpStates)
{
    inspect_file file = tcp(0xa, 7);
    EXPECT_EQ(state_of(file), "ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555");
    EXPECT_EQ(state_of(file, EPOLLIN | EPOLLET), "ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555");
    file.nonblock = 0;
    EXPECT_EQ(state_of(file, EPOLLIN | EPOLLET), "ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555, BLOCKING");
    file.nonblock = 1;
    file.unsent = 300;
    file.state.flags &= static_cast<uint8_t>(~STATE_WRITABLE);
    EXPECT_EQ(state_of(file), "ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555, 300 bytes unacknowledged, no room to send");
    file = tcp(0xa, 7);
    file.state.sk_state = 8;
    file.state.unread = 1;
    file.state.flags |= STATE_RCV_SHUTDOWN | STATE_EOF_UNREAD;
    EXPECT_EQ(state_of(file), "CLOSE_WAIT 127.0.0.1:80 -> 127.0.0.1:5555, 1 byte unread, end of stream unread");
    file.state.flags &= static_cast<uint8_t>(~STATE_EOF_UNREAD);
    file.state.unread = 0;
    file.state.aux = 104 | 2 << 16;
    EXPECT_EQ(state_of(file),
              "CLOSE_WAIT 127.0.0.1:80 -> 127.0.0.1:5555, peer closed, error ECONNRESET, 2 messages in the "
              "error queue");
}

TEST(Inspect, OtherSockets)
{
    inspect_file file = file_of(0xa, FILE_LISTENER, kPid, 7);
    file.type = SOCK_STREAM;
    file.name.family = AF_INET6;
    file.name.local_port = 443;
    file.state.sk_state = 10;
    file.state.backlog = 3;
    file.limit = 511;
    EXPECT_EQ(state_of(file), "LISTEN [::]:443, backlog 3 of 511");

    file = file_of(0xa, FILE_UDP, kPid, 7);
    file.type = SOCK_DGRAM;
    file.name.family = AF_INET;
    file.name.local_port = 53;
    file.state.sk_state = 7;
    file.state.unread = 2;
    EXPECT_EQ(state_of(file), "unconnected 0.0.0.0:53, 2 datagrams unread");

    file = file_of(0xa, FILE_UNIX, kPid, 7);
    file.type = SOCK_STREAM;
    file.name.family = AF_UNIX;
    file.state.sk_state = 1;
    file.bytes = 5;
    file.state.unread = 1;
    file.peer_pid = 77;
    strcpy(file.text, "/run/x.sock");
    file.text_kind = INSPECT_PEER_PATH;
    file.text_length = 12;
    EXPECT_EQ(state_of(file), "ESTABLISHED -> /run/x.sock, peer pid 77, 5 bytes unread");
    memcpy(file.text, "\0bus", 4);  // abstract
    file.text_kind = INSPECT_PATH;
    file.text_length = 4;
    file.type = SOCK_DGRAM;
    EXPECT_EQ(state_of(file), "ESTABLISHED @bus, peer pid 77, 1 datagram unread (5 bytes)");
    memcpy(file.text, "/\x1b[2J", 5);  // a name must not drive the terminal
    file.text_length = 5;
    EXPECT_EQ(state_of(file).find('\x1b'), std::string::npos);
}

TEST(Inspect, OtherKinds)
{
    EXPECT_EQ(state_of(file_of(0xa, FILE_PIPE, kPid, 7)), "empty");
    inspect_file file = file_of(0xa, FILE_PIPE, kPid, 7);
    file.bytes = 7;
    file.state.unread = 1;
    EXPECT_EQ(state_of(file), "7 bytes unread");
    file = file_of(0xa, FILE_TIMERFD, kPid, 7);
    file.state.io = 2;
    EXPECT_EQ(state_of(file), "2 ticks unread");

    file = file_of(0xa, FILE_OTHER, kPid, 7);
    file.text_kind = INSPECT_ANON;
    strcpy(file.text, "[io_uring]");
    InterestLook look = look_at(bytes_of(file) + item_record(file, 7, EPOLLIN));
    EXPECT_EQ(look.lists[0].registrations[0].open.kind, "io_uring");
    file.text_kind = INSPECT_NO_TEXT;
    file.name.family = AF_NETLINK;
    look = look_at(bytes_of(file) + item_record(file, 7, EPOLLIN));
    EXPECT_EQ(look.lists[0].registrations[0].open.kind, "netlink");
}

TEST(Inspect, Nested)
{
    inspect_file inner = file_of(0xa, FILE_EPOLL, kPid, 9), event = file_of(0xb, FILE_EVENTFD, kPid, 5);
    inner.inner = kInner;
    std::string files = bytes_of(inner) + item_record(inner, 9, EPOLLIN) + bytes_of(event) +
                        item_record(event, 5, EPOLLIN, true, kInner);
    InterestLook look = look_at(files, epoll_record(kPid, 4, kEpoll) + epoll_record(kPid, 9, kInner));
    EXPECT_EQ(state_text(look.lists[0].registrations[0], look), "epoll fd 9: 1 registration, 1 ready");
    look = look_at(files);
    EXPECT_EQ(state_text(look.lists[0].registrations[0], look), "an epoll of another process");
}

TEST(Inspect, ClosedAndShared)
{
    inspect_file here = file_of(0xa, FILE_EVENTFD, kPid, 7), copy = file_of(0xa, FILE_EVENTFD, kPid, 9),
                 child = file_of(0xa, FILE_EVENTFD, 200, 7);
    std::string at_child = bytes_of(child) + item_record(child, 7, EPOLLIN);
    std::string at_copy = bytes_of(copy) + item_record(copy, 7, EPOLLIN);
    std::string at_home = bytes_of(here) + item_record(here, 7, EPOLLIN);

    InterestLook look = look_at(at_child + at_copy + at_home + at_home);
    ASSERT_EQ(look.lists[0].registrations.size(), 1u) << "one registration, however many descriptors lead to it";
    EXPECT_FALSE(look.lists[0].registrations[0].closed);
    EXPECT_EQ(state_text(look.lists[0].registrations[0], look), "counter 0, also pid 100 fd 9, pid 200 fd 7");

    look = look_at(at_child + at_copy);
    EXPECT_TRUE(look.lists[0].registrations[0].closed) << "the same number in a process without the epoll is another's";
    EXPECT_EQ(state_text(look.lists[0].registrations[0], look),
              "counter 0, fd CLOSED, the file lives on as pid 100 fd 9, pid 200 fd 7");

    look = look_at(at_child, epoll_record(kPid, 4, kEpoll) + epoll_record(200, 4, kEpoll));
    EXPECT_FALSE(look.lists[0].registrations[0].closed) << "its owner is one of those that have the epoll";
    EXPECT_EQ(look.lists[0].holders.size(), 2u);
}

TEST(Inspect, SharedEpollIsListedOnce)
{
    InterestLook look = look_at("", epoll_record(200, 4, kEpoll) + waiter_record(101, kEpoll, 0) +
                                        epoll_record(kPid, 6, kEpoll) + waiter_record(101, kEpoll, 0) +
                                        epoll_record(kPid, 4, kEpoll));
    ASSERT_EQ(look.lists.size(), 1u);
    EXPECT_EQ(look.lists[0].waiters.size(), 1u);
    EXPECT_FALSE(look.lists[0].waiters[0].ran_ago_ns) << "this kernel did not say";
    EXPECT_NE(text_of(look).find("epoll fd 4, also fd 6, also pid 200 fd 4  0 registrations"), std::string::npos)
        << text_of(look);
}

TEST(Inspect, RecordsCutShortAreLeftOut)
{
    inspect_file a = tcp(0xa, 7);
    std::string whole = bytes_of(a) + item_record(a, 7, EPOLLIN);
    for (size_t size = 0; size < whole.size(); size++)
        EXPECT_TRUE(look_at(whole.substr(0, size)).lists[0].registrations.empty()) << size;
}

TEST(Inspect, WhatHasChanged)
{
    inspect_file a = tcp(0xa, 7), b = tcp(0xb, 8), c = tcp(0xc, 9), d = tcp(0xd, 9);
    InterestLook then = look_at(bytes_of(a) + item_record(a, 7, EPOLLIN) + bytes_of(b) + item_record(b, 8, EPOLLIN) +
                                bytes_of(c) + item_record(c, 9, EPOLLIN));
    b.state.unread = 5;
    InterestLook now = look_at(bytes_of(a) + item_record(a, 7, EPOLLIN) + bytes_of(b) +
                               item_record(b, 8, EPOLLIN, true) + bytes_of(d) + item_record(d, 9, EPOLLIN));
    then.time = 1'000'000'000;
    now.time = 3'000'000'000;
    compare_looks(then, now);
    const InterestList& list = now.lists[0];
    EXPECT_EQ(list.registrations[0].change, Change::kNone);
    EXPECT_EQ(list.registrations[1].change, Change::kChanged);
    EXPECT_EQ(list.registrations[2].change, Change::kNew) << "the number is the same, the file is not";
    EXPECT_FALSE(list.registrations[0].age_ns);
    EXPECT_EQ(list.registrations[2].age_ns, 2'000'000'000u);
    ASSERT_EQ(list.gone.size(), 1u);
    EXPECT_EQ(list.gone[0].file, 0xcu);
    EXPECT_EQ(text_of(now, true),
              "2026-11-21T06:15:00Z\n"
              "server[100]  /usr/bin/server\n"
              "\n"
              "  epoll fd 4  3 registrations, 1 ready, no thread waits\n"
              "  fd  kind  events  trigger  ready  data  state\n"
              "   7  tcp   IN      level    -      0x77  ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555\n"
              "~  8  tcp   IN      level    ready  0x78  ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555, 5 bytes "
              "unread\n"
              "+  9  tcp   IN      level    -      0x79  ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555, "
              "registered at most 2.0 s ago\n"
              "-  9  tcp   IN      level    -      0x79  ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555\n"
              "\n");

    InterestLook later = look_at(bytes_of(d) + item_record(d, 9, EPOLLIN));
    later.time = 4'000'000'000;
    compare_looks(now, later);
    EXPECT_EQ(later.lists[0].registrations[0].age_ns, 3'000'000'000u);
    EXPECT_EQ(later.lists[0].registrations[0].change, Change::kNone);

    InterestLook anew = look_at(bytes_of(d) + item_record(d, 9, EPOLLIN, false, kEpoll, 0x2000));
    compare_looks(later, anew);
    EXPECT_EQ(anew.lists[0].registrations[0].change, Change::kNew) << "removed and added again";
}

TEST(Inspect, SaysInWhichContainerAPathIs)
{
    const inspect_file a = tcp(0xa, 7);
    InterestLook look = look_at(bytes_of(a) + item_record(a, 7, EPOLLIN));
    look.processes[kPid].workload = {"docker.service", {"3f4a0c1d9be8", "api", "acme/api:7", "docker"}, "shop/api-0"};
    EXPECT_NE(
        text_of(look).find("server[100]  /usr/bin/server  unit docker.service  container api (acme/api:7, docker)  pod "
                           "shop/api-0\n"),
        std::string::npos)
        << text_of(look);
    const nlohmann::json process = json_of(look)["processes"][0];
    EXPECT_EQ(process["container"]["name"], "api");
    EXPECT_EQ(process["pod"], "shop/api-0");
}

TEST(Inspect, Json)
{
    inspect_file a = tcp(0xa, 7);
    a.state.unread = 12;
    InterestLook look = look_at(
        bytes_of(a) + item_record(a, 7, EPOLLIN | EPOLLET | EPOLLONESHOT, true),
        epoll_record(kPid, 4, kEpoll, 5'000'000'000) + waiter_record(101, kEpoll, 1'500'000'000));
    nlohmann::json json = json_of(look);
    EXPECT_EQ(json["schema"], "epaudit-inspect/1");
    EXPECT_EQ(json["time"], "2026-11-21T06:15:00Z");
    EXPECT_EQ(json["complete"], true);
    EXPECT_EQ(json["processes"][0]["comm"], "server");
    EXPECT_FALSE(json["processes"][0].contains("container"));
    nlohmann::json list = json["epolls"][0];
    EXPECT_EQ(list["descriptors"], nlohmann::json::parse(R"([{"pid":100,"fd":4}])"));
    EXPECT_EQ(list["waiters"][0]["asleep_at_most_s"], 3.5);
    EXPECT_TRUE(list["waiters"][0]["timeout_ms"].is_null());
    nlohmann::json r = list["registrations"][0];
    EXPECT_EQ(r["fd"], 7);
    EXPECT_EQ(r["kind"], "tcp");
    EXPECT_EQ(r["mask"], "EPOLLIN|EPOLLERR|EPOLLHUP|EPOLLONESHOT|EPOLLET");
    EXPECT_EQ(r["mask_bits"], 0xc0000019u);
    EXPECT_EQ(r["trigger"], nlohmann::json::parse(R"(["edge","oneshot"])"));
    EXPECT_EQ(r["armed"], true);
    EXPECT_EQ(r["data"], "0x77");
    EXPECT_EQ(r["ready"], true);
    EXPECT_EQ(r["unread_bytes"], 12);
    EXPECT_EQ(r["registered"], "before attach");
    EXPECT_TRUE(r["age_at_most_s"].is_null());
    EXPECT_EQ(r["socket"]["state"], "ESTABLISHED");
    EXPECT_EQ(r["socket"]["peer"], "127.0.0.1:5555");
    EXPECT_FALSE(r.contains("change")) << "only when watching";
    EXPECT_EQ(json_of(look, true)["epolls"][0]["registrations"][0]["change"], "none");
    std::ostringstream out;
    write_inspect_json(look, {false, true}, out);
    EXPECT_EQ(out.str().find('\n'), out.str().size() - 1) << "one line per look";
}

}  // namespace
}  // namespace epaudit
