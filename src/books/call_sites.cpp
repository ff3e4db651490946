// SPDX-License-Identifier: Apache-2.0
#include "src/books/call_sites.h"

namespace epaudit {

const char* stack_role_text(StackRole role)
{
    switch (role) {
    case StackRole::kArmed: return "armed here";
    case StackRole::kRead: return "last read here";
    case StackRole::kWrite: return "last written here";
    case StackRole::kAccept: return "accepts here";
    case StackRole::kWait: return "waits here";
    case StackRole::kRefused: return "refused here";
    case StackRole::kBlocked: return "blocked in";
    case StackRole::kCreated: return "created here";
    case StackRole::kChanged: return "changed here";
    case StackRole::kStale: return "used here";
    }
    return "";
}

}  // namespace epaudit
