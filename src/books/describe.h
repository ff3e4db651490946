// SPDX-License-Identifier: Apache-2.0
// The books in words: masks, errors, addresses, and the flight recorder as a timeline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/probes.h"
#include "src/books/trail.h"

namespace epaudit {

// A log does not always say which process it is about. Those that it tells apart all the same have numbers that no
// kernel gives.
constexpr uint32_t kNoPidFrom = 1U << 30;
// 0: not known.
inline uint32_t known_pid(uint32_t pid) { return pid < kNoPidFrom ? pid : 0; }

const char* kind_name(uint8_t file_kind);      // "tcp", "eventfd"; "unknown" for anything else
const char* tcp_state_name(uint8_t sk_state);  // "CLOSE_WAIT"; "" when there is none
std::string mask_text(uint32_t mask);          // "EPOLLIN|EPOLLET"; "0" for an empty one
std::string errno_text(int64_t error);         // "EAGAIN" from 11 or -11; "errno 999" when unnamed
// How a registration with this mask is told: "level", "edge", "oneshot" or "edge,oneshot".
std::string trigger_text(uint32_t mask);

// One entry of the flight recorder: "delivered EPOLLIN", "read 4 bytes", "accept = EMFILE".
std::string posting_text(uint8_t posting_kind, int32_t value);
Lane posting_lane(uint8_t posting_kind);
// All of them, oldest first; t in seconds since `began`.
std::vector<TimelineEntry> timeline(const file_row& file, uint64_t began);

std::string local_address(const socket_name& name);  // "127.0.0.1:80", "[::1]:80"; empty when there is none
std::string peer_address(const socket_name& name);

std::string bytes_text(uint64_t bytes);  // "1 byte", "78848 bytes", "2.8 MiB"

}  // namespace epaudit
