// SPDX-License-Identifier: Apache-2.0
// What the text of a log shows by itself, where the books know too little: a log pasted from the middle of the trouble
// shows no epoll_ctl, so which file an event means must be concluded from what the program does next.
#pragma once

#include <cstdint>

namespace epaudit {

// Returns of epoll_wait in a row that reported the same, and nothing was done about it.
struct LogRun {
    enum class Cause : uint8_t {
        kNone,    // answered by somebody, or nothing can be said
        kOut,     // EP201
        kUnread,  // EP202
        kEof,     // EP203
        kHupErr,  // EP204
        kAccept,  // EP205
        kZero,    // EP206: timeout 0 and nothing there
        kGhost,   // EP303
        kHerd,    // EP401: woken, and nothing to accept
        kStall,   // EP404: asleep in another call, then several events at once
    };
    // How the fd is known; the later, the weaker.
    enum class Ground : uint8_t {
        kRegistered,  // the log holds the epoll_ctl
        kUsed,        // the program used the number that data holds
        kOnlyOne,     // the only fd that was used between returns
        kData,        // data looks like a number; nothing confirms it
        kNone,
    };
    uint64_t epoll = 0;
    int epfd = -1;
    uint32_t pid = 0;
    int fd = -1;
    uint64_t file = 0;  // identity for the auditor: its file, or its data
    uint8_t kind = 0;
    bool closed = false;      // it was registered and closed in the log, and is told of all the same
    bool bad_number = false;  // what the program calls on it is answered by EBADF: it leads nowhere, and is told of
    uint32_t in_all = 0;      // returns of this run, and of all shorter ones that are none by accident
    uint64_t data = 0;
    Ground ground = Ground::kNone;
    Cause cause = Cause::kNone;
    uint64_t returns = 0;
    uint64_t of = 0;      // kHerd: wake-ups in all
    uint32_t events = 0;  // reported every time
    uint32_t between = 0;
    int error = 0;                // of the failing accept
    int call = -1;                // kStall: number of the system call,
    uint64_t longest = 0;         // and how long it took at most
    uint64_t ns = 0;              // from the first return to the last; 0: no time stamps
    bool ended = false;           // it was over before the log was
    const char* doubt = nullptr;  // why it does not prove anything
};

}  // namespace epaudit
