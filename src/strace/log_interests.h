// SPDX-License-Identifier: Apache-2.0
// What each epoll of a log has registered, as its epoll_ctl() calls tell: found by number and by data, and which epolls have
// a number. A child inherits an epoll, so that a list is of no process.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace epaudit {

class LogInterests {
public:
    struct Member {
        uint64_t data = 0;
        uint32_t mask = 0;
        uint32_t pid = 0, tid = 0;  // who registered it
    };
    // What an event with this data is about.
    struct About {
        int fd = -1;
        const Member* member = nullptr;  // NULL: its number was closed, in the process `closed_in`
        uint32_t closed_in = 0;
    };

    void enrol(uint64_t epoll, int fd, const Member& member);
    void strike(uint64_t epoll, int fd);
    // The number was closed, by this thread (0 in a log that does not tell threads apart), or something new was opened under
    // it. What is told of a closed number later belongs to a file that somebody else still has open: with its last
    // descriptor the registration would have gone. Only the thread that registered it is believed: the number that another
    // one closes may be that of another process.
    void close_number(uint64_t epoll, int fd, uint32_t pid, std::optional<uint32_t> closed_by);
    void forget(uint64_t epoll);

    std::optional<About> find(uint64_t epoll, uint64_t data) const;
    const Member* member(uint64_t epoll, int fd) const;  // NULL: it has none of this number
    // The epolls that have this number, sorted.
    const std::vector<uint64_t>& holders(int fd) const;

private:
    struct Closed {
        int fd = -1;
        uint32_t pid = 0;
    };
    struct List {
        std::unordered_map<int, Member> members;
        std::unordered_map<uint64_t, int> by_data;
        std::unordered_map<uint64_t, Closed> closed;  // by data, until it is registered anew
    };
    void strike(uint64_t epoll, List& list, int fd);

    std::unordered_map<uint64_t, List> lists_;
    std::unordered_map<int, std::vector<uint64_t>> holders_;
};

}  // namespace epaudit
