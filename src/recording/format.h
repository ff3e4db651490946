// SPDX-License-Identifier: Apache-2.0
// The file format of recordings, version 1. All numbers are little-endian.
//
//   magic        8 bytes   "epaurec\n"
//   version      u32       1; a reader refuses what is newer
//   length, crc  u32, u32  of the header
//   header       JSON      RecordingHeader: what was recorded, where and how
//   frames, each:
//     length, crc u32, u32 of what follows (crc32 of zlib)
//     block       one zstd frame; unpacked at most kMaxBlock bytes of whole records
//
// A record is a u32, type | length << 8, and so many bytes. Types: enum record_type (bpf/recorded.h). Readers pass
// over types they do not know and over what a record has beyond what they know; what a record lacks is 0. The last
// record is RECORD_END: a file without it was cut.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "bpf/recorded.h"
#include "src/books/snapshot.h"
#include "src/finding/coverage.h"
#include "src/finding/finding.h"
#include "src/finding/rule_info.h"
#include "src/support/result.h"

namespace epaudit {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

inline constexpr char kRecordingMagic[] = "epaurec\n";
inline constexpr uint32_t kRecordingVersion = 1;
inline constexpr size_t kMaxHeader = 4 << 20;
inline constexpr size_t kMaxBlock = 4 << 20;
inline constexpr size_t kMaxRecord = (1 << 24) - 1;

struct RecordedProgram {
    uint32_t pid = 0;
    std::string comm;
    std::string exe;
    std::string build_id;  // hex; empty: not known
};

struct RecordingHeader {
    std::string tool;                  // version of epaudit
    std::string kernel;                // "6.1.0-18-amd64 x86_64"
    Sight sight;                       // hook set, and what it could see
    std::string profile;               // "test", "production": the thresholds of the observation
    std::vector<std::string> command;  // empty for attach
    std::vector<uint32_t> pids;
    std::vector<RecordedProgram> programs;
    uint64_t began = 0;       // CLOCK_MONOTONIC ns: the clock of all records
    uint64_t began_unix = 0;  // CLOCK_REALTIME ns at that moment
};

std::string header_text(const RecordingHeader& header);
Result<RecordingHeader> parse_header(std::string_view text);

// RECORD_PROCESS and RECORD_STACK. Parsing answers false on anything else.
std::string process_text(const ProcessInfo& process, const std::string& build_id = {});
bool parse_process(std::string_view text, ProcessInfo& out);

// A user stack, by what it shows: as StackOwner in src/symbols/stack_book.h.
struct RecordedStack {
    StackRole role = StackRole::kArmed;
    uint64_t id = 0;
    uint64_t time = 0;
    Stack stack{};
    uint32_t pid = 0;
};

std::string stack_text(const RecordedStack& stack);
bool parse_stack(std::string_view text, RecordedStack& out);

}  // namespace epaudit
