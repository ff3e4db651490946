// SPDX-License-Identifier: Apache-2.0
// From the records of the kernel's walk to interest lists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/books/interest.h"

namespace epaudit {

// What on_inspect_epolls and on_inspect_files wrote (bpf/inspect.h): sorted, without duplicates. `pids` are the
// inspected processes. Fills in `lists` and `without` alone.
InterestLook read_interest(const std::string& epolls, const std::string& files, const std::vector<uint32_t>& pids);

}  // namespace epaudit
