// SPDX-License-Identifier: Apache-2.0
// EP404 in words: what kept a loop away from epoll_wait, and what its program can do instead. A stall that has ended is in
// the row of its epoll, one that has not is a LastingStall.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/probes.h"
#include "rules/lasting_stall.h"

namespace epaudit {

bool stalled_asleep(const epoll_row& epoll);          // and not on the CPU
std::string stall_cause(const epoll_row& epoll);      // "in nanosleep", "on the CPU"
std::string stall_kept_away(const epoll_row& epoll);  // "blocked in nanosleep for 1.2 s"
const char* stall_fix(const epoll_row& epoll);
std::vector<TimelineEntry> stall_story(const Snapshot& books, const epoll_row& epoll);

std::string stall_doing(const LastingStall& stall);  // "computing", "in nanosleep"
const char* stall_fix(const LastingStall& stall);

const char* fix_for_blocking_call(int call);
std::string clients_text(uint32_t clients);  // "3 clients"

}  // namespace epaudit
