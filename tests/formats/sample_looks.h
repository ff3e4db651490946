// SPDX-License-Identifier: Apache-2.0
// What list and inspect may find, made up of records as the kernel writes them.
#pragma once

#include <vector>

#include "src/books/interest.h"
#include "src/report/list.h"

namespace epaudit {

std::vector<ListedProcess> sample_processes();
// Registrations of many kinds, in two processes; a third has no epoll.
InterestLook sample_look();
// Two seconds later, compared with that one.
InterestLook sample_look_later();

}  // namespace epaudit
