// SPDX-License-Identifier: Apache-2.0
// Programs that one with an epoll has started, and that have none: what tests/live/noticed.py watches.
//
//   noticed own READS        the child reads from a pipe, byte by byte; its parent waits in an epoll of its own meanwhile
//   noticed registered READS the parent has registered that pipe before
//   noticed sent READS       the child has no pipe: a registered one is sent to it
//   noticed epoll READS      the parent's epoll is sent to it, and it polls so often
//   noticed late READS       reads without an epoll; then makes one, and leaves what an older pipe brings unread (EP202)
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

constexpr int kTold = 3;  // the child's end of a pair of sockets

struct Message {
    char text = 0;
    iovec part{&text, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
    msghdr header{};

    Message() { header.msg_iov = &part, header.msg_iovlen = 1; }
};

void say(int to, char word, int sent = -1)
{
    Message message;
    message.text = word;
    if (sent >= 0) {
        message.header.msg_control = message.rights.data();
        message.header.msg_controllen = message.rights.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(sent));
        memcpy(CMSG_DATA(rights), &sent, sizeof(sent));
    }
    must(sendmsg(to, &message.header, 0), "sendmsg");
}

// What was sent with it, else standard input.
int heard(int from, char& word)
{
    Message message;
    message.header.msg_control = message.rights.data();
    message.header.msg_controllen = message.rights.size();
    must(recvmsg(from, &message.header, 0), "recvmsg");
    word = message.text;
    int sent = STDIN_FILENO;
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&message.header))
        memcpy(&sent, CMSG_DATA(rights), sizeof(sent));
    return sent;
}

void read_bytes(int fd, long reads)
{
    char byte = 0;
    for (long i = 0; i < reads; i++)
        must(read(fd, &byte, 1), "read");
}

int child(long reads)
{
    char word = 0;
    epoll_event event{};
    say(kTold, 'h');
    const int sent = heard(kTold, word);
    if (word == 'r')
        read_bytes(sent, reads);
    for (long i = 0; word == 'e' && i < reads; i++)
        must(epoll_wait(sent, &event, 1, 0), "epoll_wait");
    say(kTold, 'd');
    return 0;
}

pid_t start_child(int told, int input, const char* reads)
{
    const pid_t pid = must(fork(), "fork");
    if (pid)
        return pid;
    must(dup2(input, STDIN_FILENO), "dup2");
    must(dup2(told, kTold), "dup2");
    if (told == kTold)
        must(fcntl(kTold, F_SETFD, 0), "fcntl");
    execl("/proc/self/exe", "noticed", "child", reads, nullptr);
    return must(-1, "execl");
}

void wait_for(int epoll, int fd)
{
    epoll_event event{};
    char word = 0;
    do
        must(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
    while (event.data.fd != fd);
    heard(fd, word);
}

int parent(char** words)
{
    const std::string_view role = words[0];
    const long reads = atol(words[1]);
    std::array<int, 2> told{}, pipe{};
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, told.data()), "socketpair");
    must(pipe2(pipe.data(), O_CLOEXEC), "pipe2");
    const std::vector<char> bytes(static_cast<size_t>(reads));
    must(write(pipe[1], bytes.data(), bytes.size()), "write");
    const int epoll = new_epoll();
    watch(epoll, told[0]);
    const int nothing = must(open("/dev/null", O_RDONLY | O_CLOEXEC), "open");
    if (role == "registered")
        watch(epoll, pipe[0], EPOLLIN | EPOLLET);
    const pid_t pid = start_child(told[1], role == "sent" || role == "epoll" ? nothing : pipe[0], words[1]);
    wait_for(epoll, told[0]);  // it is another program
    if (role == "sent")
        watch(epoll, pipe[0], EPOLLIN | EPOLLET);
    say(told[0], role == "epoll" ? 'e' : 'r', role == "sent" ? pipe[0] : role == "epoll" ? epoll : -1);
    wait_for(epoll, told[0]);
    int status = 0;
    must(waitpid(pid, &status, 0), "waitpid");
    return status;
}

int late(long reads)
{
    std::array<int, 2> pipe{};
    must(pipe2(pipe.data(), O_CLOEXEC), "pipe2");
    put_byte(pipe[1]);
    read_bytes(must(open("/dev/zero", O_RDONLY | O_CLOEXEC), "open"), reads);
    const int epoll = new_epoll();
    watch(epoll, pipe[0]);
    printf("guilty %d\n", pipe[0]);
    fflush(stdout);
    epoll_event event{};
    for (auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3); std::chrono::steady_clock::now() < end;)
        must(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
    return 0;
}

}  // namespace

int main(int, char** argv)
{
    const Role roles[] = {
        {"own", 1, parent}, {"registered", 1, parent}, {"sent", 1, parent}, {"epoll", 1, parent},
        {"late", late},     {"child", child},
    };
    return play_role(argv + 1, roles);
}
