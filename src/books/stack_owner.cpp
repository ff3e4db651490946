// SPDX-License-Identifier: Apache-2.0
#include "src/books/stack_owner.h"

namespace epaudit {

std::array<uint64_t, 2> stack_owners(StackRole role, const sweep_record& entry)
{
    switch (role) {
    case StackRole::kArmed: return {entry.registration.armed_site, 0};
    case StackRole::kWait:
    case StackRole::kBlocked:
    case StackRole::kCreated:
    case StackRole::kChanged:
    case StackRole::kStale: return {entry.key.epoll, 0};
    case StackRole::kRead:
    case StackRole::kAccept: return {entry.file_id, entry.registration.left_site};
    default: return {entry.file_id, 0};
    }
}

bool stack_is_of(StackRole role, uint64_t owner, uint64_t time, const sweep_record& entry)
{
    const bool place = role == StackRole::kArmed || owner == entry.registration.left_site;
    // A refusal is older than the registration that made up for it.
    return place || role == StackRole::kRefused || time >= entry.registration.added_at;
}

}  // namespace epaudit
