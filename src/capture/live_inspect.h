// SPDX-License-Identifier: Apache-2.0
// The interest lists of running processes, read by an iterator: no probe is attached, nothing is kept.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/books/interest.h"
#include "src/support/result.h"

namespace epaudit {

class LiveInspection {
public:
    // Loads the iterators. The error names what is missing.
    static Result<std::unique_ptr<LiveInspection>> open(bool verbose);
    ~LiveInspection();
    LiveInspection(const LiveInspection&) = delete;
    LiveInspection& operator=(const LiveInspection&) = delete;

    // Processes that have ended meanwhile are left out.
    Result<InterestLook> look(const std::vector<uint32_t>& pids);

private:
    struct Impl;
    explicit LiveInspection(std::unique_ptr<Impl> impl);
    Result<InterestLook> walk(const std::vector<uint32_t>& pids);
    Result<> add_unreached(const std::vector<uint32_t>& pids, InterestLook& look);
    std::unique_ptr<Impl> impl_;
};

}  // namespace epaudit
