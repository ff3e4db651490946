// SPDX-License-Identifier: Apache-2.0
// What all rules put into a finding, read from the rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/audit/rule.h"

namespace epaudit {

// A finding about this registration (or this file, where it has none): who, where, its timeline, its mask and
// the state it is in. The rule adds level, summary, count, cost and fix.
Finding begin_finding(const RuleInfo& info, const Snapshot& books, const Entry& entry);

// A finding about an epoll instance as a whole, and the process `tgid`.
Finding begin_epoll_finding(const RuleInfo& info, const Snapshot& books, uint64_t epoll, uint32_t tgid);

// A line of a timeline that a rule tells itself.
TimelineEntry moment(const Snapshot& books, uint64_t at, uint32_t tid, std::string what);

// Takes back what was said of a subject, when later evidence possible explanation.
Finding withdrawal(const RuleInfo& info, uint64_t epoll, uint64_t file);

void add_fact(Finding& finding, std::string name, std::string text);

// Where another mask than the present one was in force when it mattered.
void tell_mask(Finding& finding, uint32_t mask);
// A mask as the kernel has it, in words, without ERR and HUP: those the kernel adds to each.
std::string kernel_mask_text(uint32_t mask);

// Its number was closed by the process that registered it, and the file lives on (EP303).
bool is_ghost(const Entry& entry);
// ... but its close was not seen, and several processes wait on the epoll: another one may have registered it.
bool may_be_anothers(const Snapshot& books, const Entry& entry);

// A connection, or one end of a Unix stream.
bool is_stream_socket(const Entry& entry);
// All registrations of this file are in the snapshot, none has a bit of `tells` in its mask now, and none is an
// EPOLLONESHOT that fired (EP104's).
bool none_tells(std::span<const Entry> file, uint32_t tells);

// Input that the program would find if it looked: data, connections, the end of the stream, an error.
bool input_waits(const Entry& entry);
std::string waiting_text(const Entry& entry);  // "4 bytes unread, end of stream unread"

}  // namespace epaudit
