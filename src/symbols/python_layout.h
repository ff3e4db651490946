// SPDX-License-Identifier: Apache-2.0
// How an interpreter of Python lays out what it runs. Its structures change with each minor version: from 3.13 on the file of
// the interpreter says itself where things are (_Py_DebugOffsets, at the start of _PyRuntime); 3.11 and 3.12 are in a table that
// scripts/python_offsets.py makes from CPython's headers. Before 3.11 Python functions called each other through C, and there
// is no stack of frames that could be walked like this.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "bpf/python.h"

namespace epaudit {

// What the file of an interpreter says; addresses are those of the process.
struct PythonInterpreter {
    uint64_t version = 0;    // Py_Version, as PY_VERSION_HEX; 0: the file does not say (before 3.11)
    uint64_t runtime = 0;    // _PyRuntime
    uint64_t code_type = 0;  // PyCode_Type
    // Code of _PyEval_EvalFrameDefault: from, to.
    std::vector<std::pair<uint64_t, uint64_t>> eval;
    std::vector<uint64_t> debug_offsets;  // as many of its words as the file has
};
constexpr size_t kPythonDebugWords = 64;

struct PythonLayout {
    unsigned minor = 0;  // 3.minor
    uint64_t code_type = 0;
    std::vector<std::pair<uint64_t, uint64_t>> eval;
    python_offsets probe{};  // what the probe needs
    // Of a PyCodeObject, bytes.
    uint32_t file_name = 0;
    uint32_t qualified_name = 0;
    uint32_t line_table = 0;
    uint32_t first_line = 0;
    uint32_t instructions = 0;
    // Of a str: sizeof(PyASCIIObject) and sizeof(PyCompactUnicodeObject), behind which the characters stand, and the first bit of
    // `kind` in its state.
    uint32_t ascii_size = 0;
    uint32_t compact_size = 0;
    uint32_t kind_bit = 0;

    bool in_eval(uint64_t pc) const;
};

// Nothing: a version, or a build of it, that we do not know.
std::optional<PythonLayout> python_layout(const PythonInterpreter& found);

}  // namespace epaudit
