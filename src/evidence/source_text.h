// SPDX-License-Identifier: Apache-2.0
// Source text for a report. Which file it is, a watched program says: its debug information may name /etc/shadow. So it
// is read with no more rights than whoever gets the report, or the program itself, has; never with those of root.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "src/finding/finding.h"

namespace epaudit {

class SourceText {
public:
    enum class From {
        kNowhere,    // frames with file and line are all there is
        kDirectory,  // below the working directory
        kCaller,     // and from wherever the caller may read
        kProcess,    // and from wherever the process may read, in its own root
    };

    SourceText() = default;
    SourceText(From from, std::string directory) : from_(from), directory_(std::move(directory)) {}

    // The line and its neighbours; nothing when that may not be read, or is no text.
    std::optional<SourceExcerpt> excerpt(const Frame& frame, uint32_t pid, int neighbours = 2) const;

private:
    From from_ = From::kNowhere;
    std::string directory_;
};

}  // namespace epaudit
