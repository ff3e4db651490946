// SPDX-License-Identifier: Apache-2.0
// The interest lists of some processes at one moment, as the kernel has them: what `epaudit inspect` shows. No books:
// nothing here is counted, everything was read at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf/posting.h"
#include "src/books/snapshot.h"

namespace epaudit {

// A descriptor that leads to a file.
struct Holder {
    uint32_t pid = 0;
    int fd = -1;
    auto operator<=>(const Holder&) const = default;
};

// A thread asleep in epoll_wait.
struct Waiter {
    uint32_t pid = 0;
    uint32_t tid = 0;
    std::string comm;
    std::optional<uint64_t> ran_ago_ns;  // since it last got a CPU: it sleeps no longer than that
    std::optional<int> timeout_ms;       // of its epoll_wait, -1: for ever; none: not known
};

// The open file behind a registration.
struct OpenFile {
    std::string kind = "unknown";  // kind_name(), or what the kernel calls it: "inotify", "netlink", "tty"
    uint8_t file_kind = FILE_UNKNOWN;
    file_state state{};     // bpf/posting.h
    uint64_t bytes = 0;     // unread bytes of tcp, pipes and UNIX sockets
    uint32_t unsent = 0;    // tcp: bytes not yet acknowledged by the peer
    uint32_t limit = 0;     // listener: of its backlog
    uint32_t peer_pid = 0;  // UNIX socket: who made the other end
    uint8_t type = 0;       // SOCK_STREAM ...
    bool nonblock = false;
    std::string local;  // address, or path of a UNIX socket ("@name": abstract)
    std::string peer;
    uint64_t inner = 0;                                        // an epoll: which InterestList, if it is among them
    std::vector<std::pair<std::string, std::string>> details;  // from /proc/PID/fdinfo: {"expires in", "2.0 s"}
};

enum class Change { kNone, kNew, kChanged };

struct Registration {
    int fd = -1;  // the number it was registered under
    uint64_t file = 0;
    uint64_t item = 0;  // struct epitem *: tells it from an earlier one of the same file
    uint32_t mask = 0;
    uint64_t data = 0;
    bool ready = false;   // on the kernel's ready list
    bool reached = true;  // false: no descriptor leads to the file, it is known from fdinfo alone
    OpenFile open;
    std::vector<Holder> holders;     // descriptors that lead to the file, those of the inspected processes first
    bool closed = false;             // its number, in the processes that have the epoll, does not lead to the file
    Change change = Change::kNone;   // since the look before
    std::optional<uint64_t> age_ns;  // at most; none: it was there before the first look

    // ONESHOT that fired and was not re-armed (or an empty mask): nothing but errors can be reported.
    bool disarmed() const;
};

struct InterestList {
    uint64_t id = 0;
    std::vector<Holder> holders;  // descriptors of the epoll in the inspected processes
    std::vector<Waiter> waiters;
    std::vector<Registration> registrations;  // by fd
    std::vector<Registration> gone;           // since the look before
    Change change = Change::kNone;
};

struct InterestLook {
    int64_t started = 0;                        // wall clock, s
    uint64_t time = 0;                          // CLOCK_MONOTONIC
    std::map<uint32_t, ProcessInfo> processes;  // the inspected ones that live
    std::vector<InterestList> lists;            // by first holder
    std::vector<uint32_t> without;              // inspected processes that have no epoll
    std::vector<std::string> notes;             // what could not be seen
    bool complete = true;                       // false: the kernel has more than could be listed

    const InterestList* list(uint64_t id) const;
};

// Fills in what has changed since the look before, and how old the registrations are that came since.
void compare_looks(const InterestLook& then, InterestLook& now);

}  // namespace epaudit
