// SPDX-License-Identifier: Apache-2.0
// The counters of the books (enum ledger_stat), by the names under which reports show them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/books/snapshot.h"

namespace epaudit {

// Everything that could not be kept or seen, in a fixed order; only what is not zero.
std::vector<std::pair<std::string, uint64_t>> losses(const Snapshot& books);
// Calls of the watched processes by posting kind; only what is not zero.
std::vector<std::pair<std::string, uint64_t>> calls(const Snapshot& books);

}  // namespace epaudit
