// SPDX-License-Identifier: Apache-2.0
// A code object of Python, as it lies in the memory of its process: whose it is, and the line of an instruction.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "src/books/trail.h"
#include "src/symbols/python_layout.h"

namespace epaudit {

// Memory of the process. All of it, or false.
using ReadMemory = std::function<bool(uint64_t address, void* into, size_t size)>;

// The line of the instruction at so many bytes from the first, by co_linetable; nothing: the table says none, or is broken.
// The table is a row of entries: a byte 0x80 | kind << 3 | code units covered less 1, and what that kind needs. Its format is
// Objects/locations.md in CPython; it has not changed from 3.11 to 3.14.
std::optional<int> python_line(std::string_view table, int first_line, int64_t offset);

class PythonCode {
public:
    explicit PythonCode(PythonLayout layout) : layout_(std::move(layout)) {}

    const PythonLayout& layout() const { return layout_; }
    // Nothing: there is no code object.
    std::optional<Frame> frame_of(const python_frame& frame, const ReadMemory& read);

private:
    struct Code {
        uint64_t file_name_at = 0, qualified_name_at = 0, line_table_at = 0;
        int first_line = 0;
        std::string file_name{}, qualified_name{}, line_table{};
    };

    std::optional<std::string> text_at(uint64_t address, size_t most, const ReadMemory& read) const;

    PythonLayout layout_;
    std::map<uint64_t, Code> known_;  // by address; another may lie there by now
};

}  // namespace epaudit
