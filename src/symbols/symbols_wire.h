// SPDX-License-Identifier: Apache-2.0
// What is said between us and the symbols child.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/books/trail.h"
#include "src/support/apart.h"
#include "src/symbols/python_layout.h"

namespace epaudit {

enum class Question : uint64_t { kMap, kUnwind, kSymbolise, kNameLate, kBuildId, kPython, kForget };
enum class Reply : uint64_t { kNeedFile, kFile, kNeedCode, kCode, kNeedMap, kMap, kDone };

constexpr size_t kLongestQuestion = 16 << 20;
constexpr size_t kLongestAnswer = 1 << 20;
constexpr size_t kLongestName = 4096;  // of a function or file; longer ones are cut

// First of all comes one message with two words, SymbolLimits.

// In place of the address of a module: the root directory of the process, and its perf map.
constexpr uint64_t kRootDirectory = ~0ULL;
constexpr uint64_t kPerfMap = ~1ULL;

// Fields of a Frame, at least: a count of frames is no more than the message can hold.
constexpr size_t kLeastFrameBytes = 8 * sizeof(uint64_t);
void pack(Packer& words, const Frame& frame);
Frame unpack_frame(Unpacker& words);

void pack(Packer& words, const PythonInterpreter& found);
PythonInterpreter unpack_python(Unpacker& words);

Worker symbols_worker();

}  // namespace epaudit
