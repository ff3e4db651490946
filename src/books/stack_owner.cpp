// SPDX-License-Identifier: Apache-2.0
#include "src/books/stack_owner.h"

namespace epaudit {

uint64_t stack_owner(StackRole role, const sweep_record& entry)
{
    switch (role) {
    case StackRole::kArmed: return entry.registration.armed_site;
    case StackRole::kWait:
    case StackRole::kBlocked:
    case StackRole::kCreated:
    case StackRole::kChanged:
    case StackRole::kStale: return entry.key.epoll;
    default: return entry.file_id;
    }
}

bool stack_is_of(StackRole role, uint64_t time, const sweep_record& entry)
{
    // A refusal is older than the registration that made up for it.
    return role == StackRole::kArmed || role == StackRole::kRefused || time >= entry.registration.added_at;
}

}  // namespace epaudit
