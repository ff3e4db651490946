// SPDX-License-Identifier: Apache-2.0
// What `epaudit inspect` prints: interest lists as a table or as JSON (schema epaudit-inspect/1, see README).
#pragma once

#include <iosfwd>
#include <string>

#include "src/books/interest.h"

namespace epaudit {

struct InspectStyle {
    bool colour = false;
    bool watching = false;  // another look follows: a time of day is shown, and what has changed since the last
};

void write_inspect_text(const InterestLook& look, const InspectStyle& style, std::ostream& out);
// One object; on one line when another look follows.
void write_inspect_json(const InterestLook& look, const InspectStyle& style, std::ostream& out);

// In words: "ESTABLISHED 127.0.0.1:80 -> 127.0.0.1:5555, 12 bytes unread". Of a nested epoll, how it stands.
std::string state_text(const Registration& registration, const InterestLook& look);
// "level", "edge", "edge,oneshot (fired)", "level,exclusive", "level,wakeup"
std::string how_text(const Registration& registration);
std::string socket_state_name(const OpenFile& file);  // "ESTABLISHED", "unconnected"; "" for what is no socket

}  // namespace epaudit
