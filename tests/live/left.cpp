// SPDX-License-Identifier: Apache-2.0
// What a pass leaves, and who comes back for it. Whoever speaks to the loop does so before it waits, so that three messages are
// one edge.
//
//   left messages           one message of three is read under EPOLLET, of a Unix socket that keeps them apart (EP101)
//   left messages-read      all are
//   left inner              one event of an inner epoll is fetched, which the outer one holds under EPOLLET (EP101, not EP404)
//   left inner-fetched      all are
//   left inner-lent         a thread of its own fetches one after the other, and takes its time
//   left room-for-one-more  no more than two clients: the listener is armed again when one of them leaves
//   left share              so many bytes for each turn of the clock: another thread arms it again, with the same mask
//   left one-table          two processes with one table of descriptors (CLONE_FILES) serve one epoll, as two threads may
//   left refused            EPOLL_CTL_ADD in place of MOD: nobody is told that there is room for the rest (EP601, not EP105)
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/live/sockets.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLife = std::chrono::milliseconds(4500);

void arm(int epoll, int fd, uint32_t mask)
{
    epoll_event want{};
    want.events = mask;
    want.data.fd = fd;
    must(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &want), "epoll_ctl(MOD)");
}

void say(int fd, std::string_view text)
{
    must(static_cast<int>(send(fd, text.data(), text.size(), MSG_NOSIGNAL)), "send");
}

int new_clock(long every_ms)
{
    const int clock = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
    itimerspec each{};
    each.it_interval.tv_sec = every_ms / 1000;
    each.it_interval.tv_nsec = every_ms % 1000 * 1000000;
    each.it_value = each.it_interval;
    must(timerfd_settime(clock, 0, &each, nullptr), "timerfd_settime");
    return clock;
}

void take_ticks(int clock)
{
    uint64_t ticks = 0;
    if (read(clock, &ticks, sizeof(ticks)) != sizeof(ticks))
        must(-1, "read");
}

// What comes is handled; a second thread ends it.
void serve(int epoll, const std::function<void(int)>& handle)
{
    const int end = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    watch(epoll, end);
    std::thread clock([end] {
        std::this_thread::sleep_for(kLife);
        must(eventfd_write(end, 1), "eventfd_write");
    });
    for (;;) {
        epoll_event got{};
        if (epoll_wait(epoll, &got, 1, -1) != 1)
            continue;
        if (got.data.fd == end)
            break;
        handle(got.data.fd);
    }
    clock.join();
}

int messages(bool all)
{
    for (int kind : {SOCK_DGRAM, SOCK_SEQPACKET}) {
        std::array<int, 2> ends{};
        must(socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
        const int epoll = new_epoll();
        watch(epoll, ends[0], EPOLLIN | EPOLLET);
        for (int i = 0; i < 3; i++)
            say(ends[1], "job");
        serve(epoll, [all](int fd) {
            char job[16];
            while (recv(fd, job, sizeof(job), 0) > 0 && all)
                ;
        });
    }
    return 0;
}

sockaddr_in address_of(int listener)
{
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    must(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    return address;
}

int new_listener()
{
    const int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)), "bind");
    must(listen(fd, 64), "listen");
    return fd;
}

int dial(int listener)
{
    const sockaddr_in address = address_of(listener);
    const int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    must(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "connect");
    return fd;
}

// Ours does not block.
std::array<int, 2> new_connection()
{
    const int listener = new_listener(), theirs = dial(listener);
    const int ours = must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
    close(listener);
    return {ours, theirs};
}

int inner(bool all)
{
    const int outer = new_epoll(), inner = new_epoll();
    std::vector<std::array<int, 2>> clients;
    for (int i = 0; i < 4; i++) {
        clients.push_back(new_connection());
        watch(inner, clients.back()[0]);
    }
    watch(outer, inner, EPOLLIN | EPOLLET);
    for (const auto& [ours, theirs] : clients)
        say(theirs, "request");
    serve(outer, [all](int epoll) {
        for (epoll_event got{}; epoll_wait(epoll, &got, 1, 0) == 1;) {
            char request[16];
            must(static_cast<int>(recv(got.data.fd, request, sizeof(request), 0)), "recv");
            if (!all)
                break;
        }
    });
    return 0;
}

// The loop hands the inner epoll to a thread, which takes one event after the other, and a while for each.
int inner_lent()
{
    const int outer = new_epoll(), inner = new_epoll();
    std::vector<std::array<int, 2>> clients;
    for (int i = 0; i < 2; i++) {
        clients.push_back(new_connection());
        watch(inner, clients.back()[0]);
    }
    watch(outer, inner, EPOLLIN | EPOLLET);
    for (const auto& [ours, theirs] : clients)
        say(theirs, "request");
    std::thread worker;
    serve(outer, [&](int epoll) {
        if (worker.joinable())
            return;
        worker = std::thread([epoll] {
            for (epoll_event got{}; epoll_wait(epoll, &got, 1, 0) == 1;) {
                char request[16];
                must(static_cast<int>(recv(got.data.fd, request, sizeof(request), 0)), "recv");
                std::this_thread::sleep_for(std::chrono::milliseconds(1500));
            }
        });
    });
    worker.join();
    return 0;
}

int room_for_one_more()
{
    const int listener = new_listener(), epoll = new_epoll();
    std::vector<int> clients, served;
    for (int i = 0; i < 8; i++)
        clients.push_back(dial(listener));
    watch(epoll, listener, EPOLLIN | EPOLLET);
    const int leaves = new_clock(600);
    watch(epoll, leaves);
    serve(epoll, [&](int fd) {
        if (fd == leaves) {
            take_ticks(leaves);
            if (!served.empty()) {
                close(served.back());
                served.pop_back();
            }
            return arm(epoll, listener, EPOLLIN | EPOLLET);
        }
        while (served.size() < 2) {
            const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (client < 0)
                break;
            served.push_back(client);
        }
    });
    return 0;
}

int share()
{
    const auto [ours, theirs] = new_connection();
    const int epoll = new_epoll();
    watch(epoll, ours, EPOLLIN | EPOLLET);
    std::thread wheel([epoll, ours = ours, theirs = theirs] {
        for (const auto end = Clock::now() + kLife; Clock::now() < end;) {
            say(theirs, "as much as it likes");
            std::this_thread::sleep_for(std::chrono::milliseconds(400));
            arm(epoll, ours, EPOLLIN | EPOLLET);
            std::this_thread::sleep_for(std::chrono::milliseconds(400));
        }
    });
    serve(epoll, [](int fd) {
        char some[4];
        must(static_cast<int>(recv(fd, some, sizeof(some), 0)), "recv");
    });
    wheel.join();
    return 0;
}

struct Table {
    int epoll;
    Clock::time_point end;
};

int serve_table(void* given)
{
    const Table& table = *static_cast<Table*>(given);
    while (Clock::now() < table.end) {
        epoll_event got{};
        char request[16];
        if (epoll_wait(table.epoll, &got, 1, 100) != 1)
            continue;
        if (recv(got.data.fd, request, sizeof(request), 0) > 0)
            say(got.data.fd, "answer");
        arm(table.epoll, got.data.fd, EPOLLIN | EPOLLONESHOT);
    }
    return 0;
}

int one_table()
{
    Table table{new_epoll(), Clock::now() + kLife};
    std::vector<std::thread> talkers;
    for (int i = 0; i < 4; i++) {
        const auto [ours, theirs] = new_connection();
        watch(table.epoll, ours, EPOLLIN | EPOLLONESHOT);
        talkers.emplace_back([theirs = theirs, end = table.end] {
            char answer[16];
            while (Clock::now() + std::chrono::milliseconds(200) < end) {
                say(theirs, "request");
                must(static_cast<int>(recv(theirs, answer, sizeof(answer), 0)), "recv");
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            }
        });
    }
    std::vector<char> stack(1 << 18);
    const int flags = CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD;
    must(clone(serve_table, stack.data() + stack.size(), flags, &table), "clone");
    serve_table(&table);
    for (std::thread& talker : talkers)
        talker.join();
    must(wait(nullptr), "wait");
    return 0;
}

int refused()
{
    const auto [ours, theirs] = new_connection();
    const int epoll = new_epoll();
    const std::vector<char> answer(1 << 16);
    watch(epoll, ours);
    while (send(ours, answer.data(), answer.size(), MSG_NOSIGNAL) > 0)
        ;
    epoll_event want{};
    want.events = EPOLLIN | EPOLLOUT;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, ours, &want) == 0 || errno != EEXIST)
        return 3;
    std::thread reader([theirs = theirs] {
        std::vector<char> room(1 << 16);
        while (recv(theirs, room.data(), room.size(), 0) > 0)
            ;
    });
    serve(epoll, [](int) {});
    must(shutdown(theirs, SHUT_RDWR), "shutdown");
    reader.join();
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    struct Role {
        const char* name;
        int (*run)();
    };
    const std::string_view role = argc > 1 ? argv[1] : "";
    for (const Role& known :
         {Role{"messages", [] { return messages(false); }}, Role{"messages-read", [] { return messages(true); }},
          Role{"inner", [] { return inner(false); }}, Role{"inner-fetched", [] { return inner(true); }},
          Role{"inner-lent", inner_lent}, Role{"room-for-one-more", room_for_one_more}, Role{"share", share},
          Role{"one-table", one_table}, Role{"refused", refused}}) {
        if (role == known.name)
            return known.run();
    }
    fprintf(stderr, "left: no role %s\n", argc > 1 ? argv[1] : "");
    return 2;
}
