// SPDX-License-Identifier: Apache-2.0
#include "src/support/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "src/support/clock.h"

namespace epaudit {
namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kNsPerMs = 1000000;

uint64_t deadline_in(int timeout_ms)
{
    return timeout_ms < 0 ? kNever : monotonic_ns() + static_cast<uint64_t>(timeout_ms) * kNsPerMs;
}

bool try_again() { return errno == EINTR || errno == EAGAIN; }

}  // namespace

uint64_t Unpacker::word()
{
    uint64_t value = 0;
    ok_ &= left_.size() >= sizeof(value);
    if (!ok_)
        return 0;
    memcpy(&value, left_.data(), sizeof(value));
    left_.remove_prefix(sizeof(value));
    return value;
}

std::string_view Unpacker::text()
{
    const uint64_t size = word();
    ok_ &= left_.size() >= size;
    if (!ok_)
        return {};
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
}

uint64_t Unpacker::count(size_t bytes_each)
{
    const uint64_t count = word();
    ok_ &= count <= left_.size() / bytes_each;
    return ok_ ? count : 0;
}

std::pair<Descriptor, Descriptor> Channel::pair()
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return {};
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

bool Channel::ready(short events, uint64_t deadline) const
{
    for (;;) {
        const uint64_t now = monotonic_ns();
        if (now >= deadline)
            return false;
        pollfd wait{socket_.get(), events, 0};
        const int ms = deadline == kNever ? -1 : static_cast<int>((deadline - now) / kNsPerMs + 1);
        const int ready = poll(&wait, 1, ms);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

// Its length first, with the descriptor.
bool Channel::send(std::string_view message, int file, int timeout_ms)
{
    const uint64_t deadline = deadline_in(timeout_ms);
    const uint64_t size = message.size();
    iovec head{const_cast<uint64_t*>(&size), sizeof(size)};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr first{};
    first.msg_iov = &head;
    first.msg_iovlen = 1;
    if (file >= 0) {
        first.msg_control = space;
        first.msg_controllen = sizeof(space);
        cmsghdr* rights = CMSG_FIRSTHDR(&first);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &file, sizeof(file));
    }
    ssize_t sent;
    while ((sent = sendmsg(socket_.get(), &first, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0)
        if (!try_again() || !ready(POLLOUT, deadline))
            return false;
    if (sent != sizeof(size))
        return false;
    while (!message.empty()) {
        sent = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            message.remove_prefix(static_cast<size_t>(sent));
        else if (!try_again() || !ready(POLLOUT, deadline))
            return false;
    }
    return true;
}

bool Channel::receive(std::string& message, Descriptor* file, size_t longest, int timeout_ms)
{
    const uint64_t deadline = deadline_in(timeout_ms);
    uint64_t size = 0;
    iovec head{&size, sizeof(size)};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr first{};
    first.msg_iov = &head;
    first.msg_iovlen = 1;
    first.msg_control = space;
    first.msg_controllen = sizeof(space);
    ssize_t got;
    while ((got = recvmsg(socket_.get(), &first, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0)
        if (!try_again() || !ready(POLLIN, deadline))
            return false;
    Descriptor received;
    if (cmsghdr* rights = got > 0 ? CMSG_FIRSTHDR(&first) : nullptr;
        rights && rights->cmsg_type == SCM_RIGHTS && rights->cmsg_len == CMSG_LEN(sizeof(int))) {
        int fd = -1;
        memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
        received = Descriptor(fd);
    }
    if (got != sizeof(size) || size > longest)
        return false;
    message.clear();
    char part[16384];
    while (message.size() < size) {
        got = recv(socket_.get(), part, std::min<uint64_t>(sizeof(part), size - message.size()), MSG_DONTWAIT);
        if (got > 0)
            message.append(part, static_cast<size_t>(got));
        else if (got == 0 || !try_again() || !ready(POLLIN, deadline))
            return false;
    }
    if (file)
        *file = std::move(received);
    return true;
}

}  // namespace epaudit
