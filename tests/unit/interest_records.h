// SPDX-License-Identifier: Apache-2.0
// Records as the kernel's walk over interest lists writes them (bpf/inspect.h), made up.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "bpf/inspect.h"

namespace epaudit {

inline constexpr uint64_t kEpoll = 0xe1, kInner = 0xe2;
inline constexpr uint32_t kPid = 100;

template <typename Record>
std::string bytes_of(const Record& record)
{
    return std::string(reinterpret_cast<const char*>(&record), sizeof(record));
}

inline std::string epoll_record(uint32_t pid, int fd, uint64_t id, uint64_t now = 0)
{
    inspect_epoll epoll{};
    epoll.kind = INSPECT_EPOLL;
    epoll.tgid = pid;
    epoll.fd = fd;
    epoll.epoll = id;
    epoll.ran_at = now;
    return bytes_of(epoll);
}

inline std::string waiter_record(uint32_t tid, uint64_t id, uint64_t ran_at)
{
    inspect_waiter waiter{};
    waiter.kind = INSPECT_WAITER;
    waiter.tgid = kPid;
    waiter.tid = tid;
    waiter.epoll = id;
    waiter.ran_at = ran_at;
    strcpy(waiter.comm, "worker");
    return bytes_of(waiter);
}

inline inspect_file file_of(uint64_t file, uint8_t kind, uint32_t pid, int fd)
{
    inspect_file out{};
    out.kind = INSPECT_FILE;
    out.file = file;
    out.file_kind = kind;
    out.tgid = pid;
    out.fd = fd;
    out.nonblock = 1;
    return out;
}

inline inspect_file tcp(uint64_t file, int fd)
{
    inspect_file out = file_of(file, FILE_TCP, kPid, fd);
    out.type = SOCK_STREAM;
    out.name.family = AF_INET;
    out.name.local_port = 80;
    out.name.peer_port = 5555;
    for (uint8_t* at : {out.name.local, out.name.peer})
        memcpy(at, "\x7f\0\0\1", 4);
    out.state.sk_state = 1;
    out.state.flags = STATE_WRITABLE | STATE_STREAM;
    return out;
}

inline std::string item_record(const inspect_file& file, int fd, uint32_t mask, bool ready = false,
                               uint64_t epoll = kEpoll, uint64_t item = 0x1000)
{
    inspect_item out{};
    out.kind = INSPECT_ITEM;
    out.epoll = epoll;
    out.file = file.file;
    out.item = item + static_cast<uint64_t>(fd);
    out.fd = fd;
    out.mask = mask & ~EV_PRIVATE ? mask | EPOLLERR | EPOLLHUP : mask;  // a ONESHOT that has fired keeps nothing else
    out.data = 0x70 + static_cast<uint64_t>(fd);
    out.ready = ready;
    return bytes_of(out);
}

}  // namespace epaudit
