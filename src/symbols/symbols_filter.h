// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace epaudit {

// From now on this process may read files and memory of its own, and talk over the sockets that it has: no network, no
// writing of files, no other process, no new program, no code that is made or loaded. False: the kernel has no such
// filters.
bool filter_system_calls();

}  // namespace epaudit
