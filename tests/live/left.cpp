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

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLife = std::chrono::milliseconds(4500);

void say(int fd, std::string_view text) { must(send(fd, text.data(), text.size(), MSG_NOSIGNAL), "send"); }

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
            must(recv(got.data.fd, request, sizeof(request), 0), "recv");
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
                must(recv(got.data.fd, request, sizeof(request), 0), "recv");
                std::this_thread::sleep_for(std::chrono::milliseconds(1500));
            }
        });
    });
    worker.join();
    return 0;
}

int room_for_one_more()
{
    const int listener = new_listener(SOCK_NONBLOCK), epoll = new_epoll();
    std::vector<int> clients, served;
    for (int i = 0; i < 8; i++)
        clients.push_back(connect_to(listener));
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
        must(recv(fd, some, sizeof(some), 0), "recv");
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
                must(recv(theirs, answer, sizeof(answer), 0), "recv");
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

int main(int, char** argv)
{
    const Role roles[] = {
        {"messages", [] { return messages(false); }},
        {"messages-read", [] { return messages(true); }},
        {"inner", [] { return inner(false); }},
        {"inner-fetched", [] { return inner(true); }},
        {"inner-lent", inner_lent},
        {"room-for-one-more", room_for_one_more},
        {"share", share},
        {"one-table", one_table},
        {"refused", refused},
    };
    return play_role(argv + 1, roles);
}
