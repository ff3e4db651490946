// SPDX-License-Identifier: Apache-2.0
#include "tests/formats/sample_looks.h"

#include "src/books/interest_read.h"
#include "tests/unit/interest_records.h"

namespace epaudit {
namespace {

constexpr uint32_t kWorker = 2471, kIdle = 30000;
constexpr uint64_t kSecond = 1'000'000'000;

std::string registered(const inspect_file& file, int fd, uint32_t mask, bool ready = false, uint64_t epoll = kEpoll)
{
    return bytes_of(file) + item_record(file, fd, mask, ready, epoll);
}

inspect_file listener()
{
    inspect_file file = file_of(0x10, FILE_LISTENER, kPid, 5);
    file.type = SOCK_STREAM;
    file.name.family = AF_INET6;
    file.name.local_port = 443;
    file.state.sk_state = 10;  // LISTEN
    file.state.backlog = 3;
    file.limit = 511;
    return file;
}

inspect_file unix_socket(uint64_t unread)
{
    inspect_file file = file_of(0x11, FILE_UNIX, kPid, 8);
    file.type = SOCK_STREAM;
    file.name.family = AF_UNIX;
    file.state.sk_state = SK_ESTABLISHED;
    file.bytes = unread;
    file.state.unread = unread ? 1 : 0;
    file.peer_pid = 77;
    strcpy(file.text, "/run/x.sock");
    file.text_kind = INSPECT_PEER_PATH;
    return file;
}

inspect_file half_closed()
{
    inspect_file file = tcp(0x12, 9);
    file.state.sk_state = SK_CLOSE_WAIT;
    file.state.flags |= STATE_RCV_SHUTDOWN | STATE_EOF_UNREAD;
    file.nonblock = 0;
    return file;
}

inspect_file ticking()
{
    inspect_file file = file_of(0x13, FILE_TIMERFD, kPid, 10);
    file.state.io = 2;
    return file;
}

// All but the connections of fd 7 and 14, which come and go, and fd 8, which is written to.
std::string lasting_files()
{
    inspect_file inner = file_of(0x14, FILE_EPOLL, kPid, 11);
    inner.inner = kInner;
    const inspect_file copy = file_of(0x15, FILE_EVENTFD, kPid, 13);  // registered as 12, which is closed
    const inspect_file pipe = file_of(0x16, FILE_PIPE, kWorker, 3);
    return registered(listener(), 5, EPOLLIN | EPOLLEXCLUSIVE, true) +
           registered(half_closed(), 9, EPOLLIN | EPOLLOUT | EPOLLET) + registered(ticking(), 10, EPOLLIN, true) +
           registered(inner, 11, EPOLLIN) + registered(copy, 12, EPOLLIN) +
           registered(pipe, 3, EPOLLIN | EPOLLRDHUP, false, kInner);
}

InterestLook look_at(const std::string& files, uint64_t after)
{
    const std::string epolls = epoll_record(kPid, 4, kEpoll, 5 * kSecond) + waiter_record(101, kEpoll, 3 * kSecond) +
                               epoll_record(kPid, 11, kInner) + epoll_record(kWorker, 6, kInner) +
                               epoll_record(kWorker, 9, 0xe3);
    InterestLook look = read_interest(epolls, files, {kPid, kWorker, kIdle});
    look.lists[0].waiters[0].timeout_ms = 250;
    look.processes[kPid] = {kPid, "server", "/usr/bin/server", RunState::kAlive, 0};
    look.processes[kPid].workload = {"docker.service", {"3f4a0c1d9be8", "api", "acme/api:7", "docker"}, "shop/api-0"};
    look.processes[kWorker] = {kWorker, "worker\x1b[31m", "", RunState::kAlive, 0};
    look.processes[kIdle] = {kIdle, "cat", "/usr/bin/cat", RunState::kAlive, 0};
    look.started = 1795241700 + static_cast<int64_t>(after);
    look.time = (10 + after) * kSecond;
    for (InterestList& list : look.lists)
        for (Registration& one : list.registrations)
            if (one.open.file_kind == FILE_TIMERFD)
                one.open.details = {{"expires", "in 350 ms"}, {"every", "500 ms"}};
    return look;
}

}  // namespace

std::vector<ListedProcess> sample_processes()
{
    return {{812, "nginx", "/usr/sbin/nginx", {"nginx.service", {}, ""}, 1, 37},
            {2471,
             "node",
             "/usr/bin/node",
             {"docker.service", {"3f4a0c1d9be8", "api", "acme/api:7", "docker"}, "shop/api-0"},
             3,
             {}},
            {30000, "a\x1b[31mb\u00e4r", "", {}, 12, 0}};
}

InterestLook sample_look()
{
    inspect_file fired = tcp(0x17, 7);
    fired.state.unread = 78848;
    return look_at(registered(fired, 7, EPOLLONESHOT | EPOLLET) + registered(unix_socket(0), 8, EPOLLIN | EPOLLWAKEUP) +
                       lasting_files(),
                   0);
}

InterestLook sample_look_later()
{
    inspect_file writing = tcp(0x18, 14);
    writing.unsent = 300;
    writing.state.flags &= static_cast<uint8_t>(~STATE_WRITABLE);
    InterestLook now = look_at(registered(writing, 14, EPOLLOUT) +
                                   registered(unix_socket(5), 8, EPOLLIN | EPOLLWAKEUP, true) + lasting_files(),
                               2);
    now.complete = false;
    now.notes = {
        "of epoll fd 4 of pid 100 only 256 registrations of one file are shown: the kernel's walk has room for no "
        "more"};
    compare_looks(sample_look(), now);
    return now;
}

}  // namespace epaudit
