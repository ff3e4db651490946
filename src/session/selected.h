// SPDX-License-Identifier: Apache-2.0
// Keeps a selection watched while a session runs: who comes to match, and has an epoll, is watched from then on.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "src/capture/live.h"
#include "src/support/result.h"
#include "src/workload/process_scan.h"

namespace epaudit {

class Selected {
public:
    Selected(LiveCapture& live, ProcessScan& scan);

    // Those that were found first; what they have registered is booked as existing before.
    Result<> begin(const std::vector<SelectedProcess>& found);
    // Looks for newcomers, unless it has just done so. Those that it began to watch, as "nginx (pid 4711)".
    Result<std::vector<std::string>> look();

    // Nobody who was meant is there any more, and no later one can be.
    bool over() { return !scan_.selection().is_open() && found_ == 0 && live_.watched().empty(); }
    const std::vector<uint32_t>& pids() const { return pids_; }  // that were watched, ever
    std::vector<std::string> notes() const;

private:
    Result<std::vector<std::string>> take(const std::vector<SelectedProcess>& found, const std::set<uint32_t>& watched);
    void keep(const std::vector<std::string>& notes);

    LiveCapture& live_;
    ProcessScan& scan_;
    bool follow_;  // children of what is watched
    std::vector<uint32_t> pids_;
    std::set<uint32_t> known_;  // the same
    std::vector<std::string> notes_;
    std::vector<std::string> idle_;  // matched at the last look, and had no epoll
    std::vector<std::string> unreadable_;
    size_t found_ = 0;  // at the last look
    uint64_t next_at_ = 0;
};

}  // namespace epaudit
