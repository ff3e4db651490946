// SPDX-License-Identifier: Apache-2.0
// A recording as live capture would have made it, without a kernel: a loop that never reads what it is told of.
#pragma once

#include "src/recording/writer.h"

namespace epaudit {

RecordingHeader sample_header();

// `returns` of epoll_wait, 1 ms apart, each with the same unread input; a sweep and a look every 100 ms. The whole file.
std::string sample_recording(unsigned returns, size_t block_bytes = RecordingWriter::kBlock);

// Into memory.
RecordingWriter::Sink into(std::string& out);

}  // namespace epaudit
