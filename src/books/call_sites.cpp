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
    }
    return "";
}

}  // namespace epaudit
