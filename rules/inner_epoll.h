// SPDX-License-Identifier: Apache-2.0
// An epoll that is registered in another one, edge-triggered: the outer one tells of it once, and whoever fetches one event of
// several, or reads a part of what waits, is not told of the rest.
#pragma once

#include <cstdint>
#include <vector>

#include "src/books/snapshot.h"

namespace epaudit {

// This epoll is registered in that one (0: in any), and the registration is worth a look (level-triggered ones are not).
bool registered_in(const Snapshot& books, uint64_t inner, uint64_t outer);
// The epoll whose registration this is; 0: not known.
uint64_t inner_of(const Snapshot& books, const Entry& registration);
// What is ready in it, has been waiting for so long, and was fetched by nobody.
std::vector<const Entry*> unfetched(const Snapshot& books, uint64_t inner, uint64_t ready_ns);

}  // namespace epaudit
