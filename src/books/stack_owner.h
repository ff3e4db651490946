// SPDX-License-Identifier: Apache-2.0
// Whose a stack is: how those who keep stacks find the one that a finding asks for.
#pragma once

#include <cstdint>

#include "src/books/call_sites.h"
#include "src/books/snapshot.h"

namespace epaudit {

// kArmed: where the registration was armed (registration_row.armed_site); roles of a loop: the epoll; else the file.
// 0: nothing to look for.
uint64_t stack_owner(StackRole role, const sweep_record& entry);

// Taken at `time`, can it be of this entry? Else it is of the file or epoll that had the address before.
bool stack_is_of(StackRole role, uint64_t time, const sweep_record& entry);

}  // namespace epaudit
