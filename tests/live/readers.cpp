// SPDX-License-Identifier: Apache-2.0
// The target of tests/live/readers.py: a loop over a descriptor of a kind that is rare, for so many seconds.
//   readers KIND ignore|read SECONDS
// `ignore`: input comes once and is never taken. `read`: it comes as fast as it is taken.
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

int must(int result, const char* what)
{
    if (result < 0) {
        perror(what);
        exit(3);
    }
    return result;
}

// A descriptor, and what makes it readable.
struct Source {
    int fd = -1;
    int other = -1;  // the slave of a terminal
    void (*feed)(const Source&) = nullptr;
    void (*take)(const Source&) = [](const Source& it) {
        char buffer[16384];
        must(static_cast<int>(read(it.fd, buffer, sizeof(buffer))), "read");
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
    source.feed = [](const Source& it) { must(static_cast<int>(write(it.other, "x", 1)), "write"); };
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
        must(static_cast<int>(send(it.fd, &ask, sizeof(ask), 0)), "send");
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
    source.fd = must(static_cast<int>(syscall(SYS_pidfd_open, child, 0)), "pidfd_open");
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
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(bind(source.fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)), "bind");
    must(listen(source.fd, 8), "listen");
    source.feed = [](const Source& it) {
        sockaddr_in at{};
        socklen_t size = sizeof(at);
        must(getsockname(it.fd, reinterpret_cast<sockaddr*>(&at), &size), "getsockname");
        int client = mptcp_socket();
        must(connect(client, reinterpret_cast<sockaddr*>(&at), size), "connect");
        close(client);
    };
    source.take = [](const Source& it) { close(must(accept(it.fd, nullptr, nullptr), "accept")); };
    return source;
}

Source mptcp()
{
    Source listener = mptcp_listener();
    sockaddr_in at{};
    socklen_t size = sizeof(at);
    must(getsockname(listener.fd, reinterpret_cast<sockaddr*>(&at), &size), "getsockname");
    Source source;
    source.other = mptcp_socket();
    must(connect(source.other, reinterpret_cast<sockaddr*>(&at), size), "connect");
    source.fd = must(accept(listener.fd, nullptr, nullptr), "accept");
    close(listener.fd);
    source.feed = [](const Source& it) { must(static_cast<int>(write(it.other, "x", 1)), "write"); };
    return source;
}

Source make(std::string_view kind)
{
    if (kind == "mptcp")
        return mptcp();
    if (kind == "mptcp-listener")
        return mptcp_listener();
    if (kind == "inotify")
        return inotify();
    if (kind == "terminal")
        return terminal();
    if (kind == "netlink")
        return netlink();
    if (kind == "pidfd")
        return process();
    fprintf(stderr, "readers: no kind %s\n", kind.data());
    exit(2);
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 4)
        return 2;
    bool reads = std::string_view(argv[2]) == "read";
    bool pidfd = std::string_view(argv[1]) == "pidfd";
    auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(atof(argv[3]));
    int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    Source source = make(argv[1]);
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.fd = source.fd;
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, source.fd, &want), "epoll_ctl");
    source.feed(source);
    long turns = 0;
    for (; std::chrono::steady_clock::now() < until; turns++) {
        epoll_event got{};
        must(epoll_wait(epoll, &got, 1, 100), "epoll_wait");
        waitpid(-1, nullptr, WNOHANG);
        if (!reads)
            continue;
        if (pidfd) {  // told once, then forgotten; a new child takes its place
            close(source.fd);
            source = process();
            want.data.fd = source.fd;
            must(epoll_ctl(epoll, EPOLL_CTL_ADD, source.fd, &want), "epoll_ctl");
            continue;
        }
        source.take(source);
        source.feed(source);
    }
    printf("%ld turns\n", turns);
    return turns > 100 ? 0 : 3;
}
