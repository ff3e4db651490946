// SPDX-License-Identifier: Apache-2.0
// Values inside arguments: epoll_event in its spellings, flags by name, what -y and -yy say of a descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bpf/probes.h"

namespace epaudit {

struct PrintedEvent {
    uint32_t events = 0;
    uint64_t data = 0;
    bool data_known = false;  // false: cut short ("...") or not printed
};

// "{EPOLLIN, {u32=5, u64=5}}", "{events=EPOLLIN, data={u32=5, u64=5}}", "{events=EPOLLIN, data=0x5}".
// False: no event there (NULL, an address).
bool parse_event(std::string_view text, PrintedEvent& event);
// "EPOLLIN|EPOLLOUT|0x40", "0"
bool parse_epoll_mask(std::string_view text, uint32_t& mask);

bool has_flag(std::string_view flags, std::string_view name);

// What strace printed as a string is these bytes: "caf\\303\\251", or "caf\\xc3\\xa9" of strace -x.
std::string printed_bytes(std::string_view inside);

// "{tv_sec=1, tv_nsec=500000000}" in ms, rounded down; -1 for NULL; -2 when it cannot be read.
int64_t parse_timeout(std::string_view text);
// The sum of iov_len; 0 when the list is cut short.
int64_t iov_length(std::string_view text);

// epoll_event.data below this is an fd number or a small token; pointers are larger.
constexpr uint64_t kSmallData = 1 << 20;
// What no registration has: of events that are not printed.
constexpr uint64_t kUnprintedData = ~0ULL;

// From "socket:[123]", "TCP:[a->b]", "/dev/null", "anon_inode:[eventfd]"; FILE_UNKNOWN: it does not say.
uint8_t kind_of_decoration(std::string_view decoration);
// Addresses of "TCP:[127.0.0.1:80->127.0.0.1:5555]", "TCPv6:[[::1]:80]". False: none.
bool name_of_decoration(std::string_view decoration, socket_name& name);
// From "{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}".
bool parse_sockaddr(std::string_view text, uint16_t& family, uint16_t& port, uint8_t (&address)[16]);

}  // namespace epaudit
