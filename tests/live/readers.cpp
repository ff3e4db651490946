// SPDX-License-Identifier: Apache-2.0
// The target of tests/live/readers.py: a loop over a descriptor of a kind that is rare, for so many seconds.
//   readers KIND ignore|read SECONDS
// `ignore`: input comes once and is never taken. `read`: it comes as fast as it is taken.
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <chrono>
#include <string_view>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

// A descriptor, and what makes it readable.
struct Source {
    int fd = -1;
    int other = -1;  // the slave of a terminal
    void (*feed)(const Source&) = nullptr;
    void (*take)(const Source&) = [](const Source& it) {
        char buffer[16384];
        must(read(it.fd, buffer, sizeof(buffer)), "read");
    };
};

Source inotify()
{
    Source source;
    source.fd = must(inotify_init1(IN_NONBLOCK | IN_CLOEXEC), "inotify_init1");
    must(inotify_add_watch(source.fd, "/proc/self", IN_OPEN), "inotify_add_watch");
    source.feed = [](const Source&) { close(must(open("/proc/self", O_RDONLY | O_DIRECTORY), "open")); };
    return source;
}

Source terminal()
{
    Source source;
    source.fd = must(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), "posix_openpt");
    must(grantpt(source.fd), "grantpt");
    must(unlockpt(source.fd), "unlockpt");
    source.other = must(open(ptsname(source.fd), O_RDWR | O_NOCTTY), "ptsname");
    source.feed = [](const Source& it) { must(write(it.other, "x", 1), "write"); };
    return source;
}

// The answer to a question about links.
Source netlink()
{
    Source source;
    source.fd = must(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE), "socket");
    source.feed = [](const Source& it) {
        struct {
            nlmsghdr header;
            ifinfomsg body;
        } ask{};
        ask.header.nlmsg_len = sizeof(ask);
        ask.header.nlmsg_type = RTM_GETLINK;
        ask.header.nlmsg_flags = NLM_F_REQUEST;
        ask.body.ifi_index = 1;  // the loopback device
        must(send(it.fd, &ask, sizeof(ask), 0), "send");
    };
    return source;
}

// A process that has ended. Reaped or not, its descriptor stays readable.
Source process()
{
    Source source;
    pid_t child = must(fork(), "fork");
    if (child == 0)
        _exit(0);
    source.fd = must(syscall(SYS_pidfd_open, child, 0), "pidfd_open");
    source.feed = [](const Source&) {};
    return source;
}

constexpr int kMptcp = 262;  // IPPROTO_MPTCP, which not every libc knows

int mptcp_socket() { return must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, kMptcp), "socket of multipath TCP"); }

// Told of new connections, each of which goes as soon as it is taken.
Source mptcp_listener()
{
    Source source;
    source.fd = mptcp_socket();
    bind_to_loopback(source.fd);
    must(listen(source.fd, 8), "listen");
    source.feed = [](const Source& it) {
        int client = mptcp_socket();
        dial(client, it.fd);
        close(client);
    };
    source.take = [](const Source& it) { close(must(accept(it.fd, nullptr, nullptr), "accept")); };
    return source;
}

Source mptcp()
{
    Source listener = mptcp_listener();
    Source source;
    source.other = mptcp_socket();
    dial(source.other, listener.fd);
    source.fd = must(accept(listener.fd, nullptr, nullptr), "accept");
    close(listener.fd);
    source.feed = [](const Source& it) { must(write(it.other, "x", 1), "write"); };
    return source;
}

int loop(Source (*make)(), char** words)
{
    bool reads = std::string_view(words[1]) == "read";
    auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(atof(words[2]));
    int epoll = new_epoll();
    Source source = make();
    watch(epoll, source.fd);
    source.feed(source);
    long turns = 0;
    for (; std::chrono::steady_clock::now() < until; turns++) {
        epoll_event got{};
        must(epoll_wait(epoll, &got, 1, 100), "epoll_wait");
        waitpid(-1, nullptr, WNOHANG);
        if (!reads)
            continue;
        if (make == process) {  // told once, then forgotten; a new child takes its place
            close(source.fd);
            source = process();
            watch(epoll, source.fd);
            continue;
        }
        source.take(source);
        source.feed(source);
    }
    printf("%ld turns\n", turns);
    return turns > 100 ? 0 : 3;
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"inotify", 2, [](char** words) { return loop(inotify, words); }},
        {"terminal", 2, [](char** words) { return loop(terminal, words); }},
        {"netlink", 2, [](char** words) { return loop(netlink, words); }},
        {"pidfd", 2, [](char** words) { return loop(process, words); }},
        {"mptcp", 2, [](char** words) { return loop(mptcp, words); }},
        {"mptcp-listener", 2, [](char** words) { return loop(mptcp_listener, words); }},
    };
    return play_role(argv + 1, roles);
}
