// SPDX-License-Identifier: Apache-2.0
// Names of errors, as the C library has them.
#pragma once

#include <string_view>

namespace epaudit {

// "EAGAIN" of 11; empty when there is no such.
std::string_view errno_name(int number);
// 11 of "EAGAIN" and "EWOULDBLOCK", 512 of "ERESTARTSYS", which only tracers see; 0 when the name is not known.
int errno_by_name(std::string_view name);

}  // namespace epaudit
