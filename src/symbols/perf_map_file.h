// SPDX-License-Identifier: Apache-2.0
// The perf map of a process, read anew when it has grown.
#pragma once

#include <sys/types.h>

#include "src/symbols/perf_map.h"

namespace epaudit {

class PerfMapFile {
public:
    explicit PerfMapFile(uint32_t pid) : pid_(pid) {}

    // As the file is now; what was read last when it, or the process, is gone. nullptr: there is none, or it belongs
    // neither to the user of the process nor to root.
    const PerfMap* read();

private:
    uint32_t pid_;
    bool known_ = false;
    ino_t inode_ = 0;
    off_t size_ = 0;
    timespec changed_{};
    PerfMap map_;
};

}  // namespace epaudit
