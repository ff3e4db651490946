// SPDX-License-Identifier: Apache-2.0
// Opens regular files whose names a watched program chose. Opening a FIFO hangs, and opening a device does things to it:
// so what it is gets asked before it is opened.
#pragma once

#include <cstdint>
#include <string>

#include "src/support/descriptor.h"

namespace epaudit {

enum class Links { kRefuse, kFollow };  // when the last part of the name is one

// For reading; nothing, and errno, when it is no regular file. `resolve`: RESOLVE_BENEATH and others of openat2(2), for a
// name that is relative to `directory`.
Descriptor open_regular(const std::string& path, Links links = Links::kRefuse);
Descriptor open_regular_at(int directory, const std::string& path, Links links, uint64_t resolve);
// The same by openat(2), for whoever has no more rights than the name's author: its links lead where they lead.
Descriptor open_regular_below(int directory, const std::string& path);

}  // namespace epaudit
