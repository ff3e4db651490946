// SPDX-License-Identifier: Apache-2.0
// Names of the system calls in which a thread may sleep for long.
#pragma once

#include <string>
#include <string_view>

namespace epaudit {

// "fsync"; "system call 999" for one without a name here; "no system call (a page fault)" for -1.
std::string system_call_name(int number);

// The reverse; -1 for a call that is not among them.
int system_call_number(std::string_view name);

}  // namespace epaudit
