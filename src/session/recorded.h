// SPDX-License-Identifier: Apache-2.0
// What a recording of a live observation needs to know of the machine, and says of the observation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/finding/rule_info.h"
#include "src/recording/format.h"

namespace epaudit {

// Size of the ring that was asked for; 0: as much as the machine can spare.
uint32_t ring_bytes(uint32_t mib);
RecordingHeader recording_header(const std::vector<std::string>& command, const std::vector<uint32_t>& pids,
                                 Profile profile);

}  // namespace epaudit
