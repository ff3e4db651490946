// SPDX-License-Identifier: Apache-2.0
// One of each kind of fd that epoll watches, each in a state that is known: the target of tests/live/interest.py.
// Prints "NAME FD" for each, then "ready"; after a line on stdin it changes a few of them and prints "changed". Ends
// with stdin.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <csignal>
#include <string_view>
#include <thread>

#include "tests/live/sockets.h"

namespace {

#define CHECK(call) must(static_cast<int>(call), #call)

void tell(const char* name, int number) { printf("%s %d\n", name, number); }

void add(int epoll, int fd, uint32_t events, uint64_t data)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

// A connection whose peer has sent `bytes` and, if asked to, closed its half. Waits until all of it has arrived.
int accepted(int listener, size_t bytes, bool close_half)
{
    int peer = connect_to(listener);
    epoll_event event{};
    int wait = CHECK(epoll_create1(EPOLL_CLOEXEC));
    add(wait, listener, EPOLLIN, 0);
    CHECK(epoll_wait(wait, &event, 1, -1));
    close(wait);
    int fd = CHECK(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    CHECK(write(peer, "hello, world, and so on", bytes));
    char seen[64];
    while (bytes && recv(fd, seen, sizeof(seen), MSG_PEEK) < static_cast<ssize_t>(bytes)) {}
    if (close_half) {
        CHECK(shutdown(peer, SHUT_WR));
        wait = CHECK(epoll_create1(EPOLL_CLOEXEC));
        add(wait, fd, EPOLLRDHUP, 0);
        CHECK(epoll_wait(wait, &event, 1, -1));
        close(wait);
    }
    return fd;
}

void add_sockets(int epoll, const char* directory)
{
    int listener = new_listener(SOCK_NONBLOCK, 17);
    int drained = accepted(listener, 0, false);
    int unread = accepted(listener, 12, false);
    int ended = accepted(listener, 3, true);
    connect_to(listener);
    connect_to(listener);  // both wait in the backlog
    add(epoll, listener, EPOLLIN | EPOLLEXCLUSIVE, 0xfeed0001);
    add(epoll, drained, EPOLLIN | EPOLLRDHUP, static_cast<uint64_t>(drained));
    add(epoll, unread, EPOLLIN | EPOLLOUT | EPOLLET, 0x7f0012345678ULL);
    add(epoll, ended, EPOLLIN | EPOLLRDHUP, static_cast<uint64_t>(ended));
    tell("listener", listener);
    tell("drained", drained);
    tell("unread", unread);
    tell("ended", ended);

    int udp = CHECK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    bind_to_loopback(udp);
    const sockaddr_in address = address_of(udp);
    for (std::string_view text : {"one", "three"})
        CHECK(sendto(udp, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    add(epoll, udp, EPOLLIN, 0);
    tell("udp", udp);

    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    snprintf(path.sun_path, sizeof(path.sun_path), "%s/listener", directory);
    int named = CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(bind(named, reinterpret_cast<sockaddr*>(&path), sizeof(path)));
    CHECK(listen(named, 5));
    int client = CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(connect(client, reinterpret_cast<sockaddr*>(&path), sizeof(path)));
    add(epoll, named, EPOLLIN, 0);
    add(epoll, client, EPOLLIN, 0);
    tell("unix-listener", named);
    tell("unix-client", client);

    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    CHECK(write(pair[1], "abcdef", 6));
    CHECK(write(pair[1], "ghi", 3));
    char two[2];
    CHECK(read(pair[0], two, 2));  // a message is left in part
    add(epoll, pair[0], EPOLLIN | EPOLLET, 0);
    tell("unix-pair", pair[0]);
}

void add_others(int epoll, const char* directory)
{
    int event = CHECK(eventfd(3, EFD_CLOEXEC | EFD_NONBLOCK));
    add(epoll, event, EPOLLIN, 0);
    tell("eventfd", event);

    int timer = CHECK(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    itimerspec far{{100, 0}, {3600, 0}};
    CHECK(timerfd_settime(timer, 0, &far, nullptr));
    add(epoll, timer, EPOLLIN, 0);
    tell("timerfd", timer);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    int signal = CHECK(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    add(epoll, signal, EPOLLIN, 0);
    tell("signalfd", signal);

    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    CHECK(write(ends[1], "abcdefg", 7));
    add(epoll, ends[0], EPOLLIN, 0);
    add(epoll, ends[1], EPOLLOUT | EPOLLET, 0);
    tell("pipe", ends[0]);
    tell("pipe-out", ends[1]);

    int watches = CHECK(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    CHECK(inotify_add_watch(watches, directory, IN_CREATE));
    CHECK(inotify_add_watch(watches, "/", IN_CREATE));
    add(epoll, watches, EPOLLIN, 0);
    tell("inotify", watches);

    int inner = CHECK(epoll_create1(EPOLL_CLOEXEC));
    add(inner, event, EPOLLIN, 0);
    add(epoll, inner, EPOLLIN, 0);
    tell("nested", inner);

    int fired = CHECK(eventfd(1, EFD_CLOEXEC));
    add(inner, fired, EPOLLIN | EPOLLONESHOT, 0);
    epoll_event events[4];
    CHECK(epoll_wait(inner, events, 4, -1));
    tell("fired", fired);
}

// Registrations whose number is closed: the file lives on as a duplicate, or inside a message nobody has received.
void add_closed(int epoll)
{
    int first = CHECK(eventfd(0, EFD_CLOEXEC));
    add(epoll, first, EPOLLIN, 0xdead1);
    tell("ghost", first);
    tell("ghost-lives-as", CHECK(fcntl(first, F_DUPFD_CLOEXEC, 100)));
    close(first);

    int second = CHECK(eventfd(0, EFD_CLOEXEC));  // under the number that the first had
    add(epoll, second, EPOLLIN, 0xdead2);
    tell("in-flight", second);
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    char control[CMSG_SPACE(sizeof(int))] = {};
    iovec byte{control, 1};
    msghdr message{};
    message.msg_iov = &byte;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &second, sizeof(int));
    CHECK(sendmsg(pair[0], &message, 0));
    close(second);
}

void change(int epoll)
{
    int fresh = CHECK(eventfd(0, EFD_CLOEXEC));
    add(epoll, fresh, EPOLLIN, 0);
    tell("fresh", fresh);
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 2)
        return 2;
    int epoll = CHECK(epoll_create1(EPOLL_CLOEXEC));
    tell("epoll", epoll);
    add_sockets(epoll, argv[1]);
    add_others(epoll, argv[1]);
    add_closed(epoll);
    int waited = CHECK(epoll_create1(EPOLL_CLOEXEC));
    int quiet = CHECK(eventfd(0, EFD_CLOEXEC));
    add(waited, quiet, EPOLLIN | EPOLLET, 0);
    tell("waited", waited);
    tell("quiet", quiet);
    for (int i = 0; i < 2; i++)
        std::thread([waited, i] {
            epoll_event event{};
            epoll_wait(waited, &event, 1, i ? 3600000 : -1);
        }).detach();
    puts("ready");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof(line), stdin)) {
        change(epoll);
        puts("changed");
        fflush(stdout);
    }
    _exit(0);
}
