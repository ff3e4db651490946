// SPDX-License-Identifier: Apache-2.0
// The perf map of a process: opened by whoever may look at it, read by the symbols child, and anew when it has grown.
#pragma once

#include <sys/types.h>

#include "src/support/descriptor.h"
#include "src/symbols/perf_map.h"

namespace epaudit {

// Of the process as it is now. Nothing: there is none, or it belongs neither to the user of the process nor to root.
Descriptor open_perf_map(uint32_t pid);

class PerfMapFile {
public:
    // As the file is now; without one, what was read last: it, or the process, is gone. nullptr: there never was one.
    const PerfMap* read(const Descriptor& file);

private:
    bool known_ = false;
    ino_t inode_ = 0;
    off_t size_ = 0;
    timespec changed_{};
    PerfMap map_;
};

}  // namespace epaudit
