// SPDX-License-Identifier: Apache-2.0
// Whose a stack is: how those who keep stacks find the one that a finding asks for.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "src/books/call_sites.h"
#include "src/books/snapshot.h"

namespace epaudit {

using StackKey = std::pair<StackRole, uint64_t>;

// Under which a stack is kept, best first; 0: nothing to look for. kArmed: the place where the registration was armed
// (registration_row.armed_site); roles of a loop: the epoll; else the file, and after it the place of the call that left
// something behind (left_site), of which there is a stack even when it was the last.
std::array<uint64_t, 2> stack_owners(StackRole role, const sweep_record& entry);

// Kept under `owner` and taken at `time`, can it be of this entry? Else it is of the file or epoll that had the address
// before. A place stays what it is.
bool stack_is_of(StackRole role, uint64_t owner, uint64_t time, const sweep_record& entry);

// In a map of whatever has the `time` at which it was taken; end(): none.
template <typename Kept>
auto find_stack(std::map<StackKey, Kept>& kept, StackRole role, const sweep_record& entry)
{
    for (uint64_t owner : stack_owners(role, entry)) {
        auto at = owner ? kept.find({role, owner}) : kept.end();
        if (at != kept.end() && stack_is_of(role, owner, at->second.time, entry))
            return at;
    }
    return kept.end();
}

}  // namespace epaudit
