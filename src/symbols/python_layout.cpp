// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/python_layout.h"

#include <algorithm>
#include <iterator>

namespace epaudit {
namespace {

struct Row {
    unsigned minor;
    python_offsets probe;
    uint32_t file_name, qualified_name, line_table, first_line, instructions, ascii_size, compact_size;
};
// By scripts/python_offsets.py.
constexpr Row kTable[] = {
    {11, {0, 40, 0, 16, 8, 160, 56, 8, 32, 48, 56, 68, 1, 1, 0}, 112, 128, 136, 72, 184, 48, 72},
    {12, {0, 40, 0, 72, 8, 144, 56, 0, 0, 8, 56, 70, 3, 0, 0}, 112, 128, 136, 68, 192, 40, 56},
};

// Where a word stands in _Py_DebugOffsets: the structure grows in its middle (pycore_runtime.h of 3.13,
// pycore_debug_offsets.h of 3.14).
struct Words {
    unsigned minor;
    size_t interpreters, interpreter_next, threads, thread_next, frame, native_id;
    size_t previous, executable, instr, owner;
    size_t file_name, qualified_name, line_table, first_line, instructions;
};
constexpr Words kWords[] = {
    {13, 5, 8, 9, 21, 23, 25, 29, 30, 31, 33, 35, 37, 38, 39, 43},
    {14, 5, 8, 9, 24, 26, 28, 32, 33, 34, 36, 40, 42, 43, 44, 48},
};
constexpr uint64_t kCookie = 0x7970677562656478;  // "xdebugpy"
constexpr size_t kVersionWord = 1, kFreeThreadedWord = 2;
// FRAME_OWNED_BY_CSTACK of 3.13, FRAME_OWNED_BY_INTERPRETER of 3.14.
constexpr uint32_t kOwnedByInterpreter = 3;
// sizeof(PyASCIIObject), sizeof(PyCompactUnicodeObject) since 3.12, but of builds without a global lock.
constexpr uint32_t kAsciiSize = 40, kCompactSize = 56;
constexpr uint32_t kKindBit = 2;  // behind `interned`
// Structures are smaller; what says otherwise is no interpreter.
constexpr uint64_t kFurthest = 1 << 20;
// Of a frame, the probe reads so many bytes (bpf/python_walk.h).
constexpr uint32_t kFrameBytes = 80;

const Row* row_of(unsigned minor)
{
    const auto* at = std::find_if(std::begin(kTable), std::end(kTable),
                                  [&](const Row& row) { return row.minor == minor; });
    return at == std::end(kTable) ? nullptr : at;
}

std::optional<Row> described_row(const PythonInterpreter& found, unsigned minor)
{
    const auto& words = found.debug_offsets;
    const auto* at = std::find_if(std::begin(kWords), std::end(kWords),
                                  [&](const Words& w) { return w.minor == minor; });
    if (at == std::end(kWords) || words.size() <= at->instructions || words[0] != kCookie ||
        words[kVersionWord] != found.version || words[kFreeThreadedWord])
        return std::nullopt;
    bool sane = true;
    auto word = [&](size_t i) {
        sane = sane && words[i] < kFurthest;
        return static_cast<uint32_t>(words[i]);
    };
    Row row{};
    row.minor = minor;
    row.probe = {0,
                 word(at->interpreters),
                 word(at->interpreter_next),
                 word(at->threads),
                 word(at->thread_next),
                 word(at->native_id),
                 word(at->frame),
                 PYTHON_NO_CFRAME,
                 word(at->executable),
                 word(at->previous),
                 word(at->instr),
                 word(at->owner),
                 kOwnedByInterpreter,
                 0,
                 0};
    row.file_name = word(at->file_name);
    row.qualified_name = word(at->qualified_name);
    row.line_table = word(at->line_table);
    row.first_line = word(at->first_line);
    row.instructions = word(at->instructions);
    row.ascii_size = kAsciiSize;
    row.compact_size = kCompactSize;
    return sane ? std::optional(row) : std::nullopt;
}

bool in_frame(const python_offsets& probe)
{
    return std::max({probe.code, probe.previous, probe.instr}) <= kFrameBytes - sizeof(uint64_t) &&
           probe.end < kFrameBytes && (probe.code | probe.previous | probe.instr) % sizeof(uint64_t) == 0;
}

}  // namespace

bool PythonLayout::in_eval(uint64_t pc) const
{
    return std::any_of(eval.begin(), eval.end(),
                       [&](const auto& range) { return pc >= range.first && pc < range.second; });
}

std::optional<PythonLayout> python_layout(const PythonInterpreter& found)
{
    if (found.version >> 24 != 3 || !found.runtime || !found.code_type)
        return std::nullopt;
    const auto minor = static_cast<unsigned>(found.version >> 16 & 0xff);
    const Row* known = row_of(minor);
    const std::optional<Row> row = known ? std::optional(*known) : described_row(found, minor);
    if (!row || !in_frame(row->probe))
        return std::nullopt;
    PythonLayout layout;
    layout.minor = minor;
    layout.code_type = found.code_type;
    layout.eval = found.eval;
    layout.probe = row->probe;
    layout.probe.runtime = found.runtime;
    layout.file_name = row->file_name;
    layout.qualified_name = row->qualified_name;
    layout.line_table = row->line_table;
    layout.first_line = row->first_line;
    layout.instructions = row->instructions;
    layout.ascii_size = row->ascii_size;
    layout.compact_size = row->compact_size;
    layout.kind_bit = kKindBit;
    return layout;
}

}  // namespace epaudit
