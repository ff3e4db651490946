// SPDX-License-Identifier: Apache-2.0
// Go's own table of functions and lines (.gopclntab), which is in every Go program, stripped or not: Go 1.18 to 1.26.
// Bytes in, names out: they come from the watched program, so each number is checked before it is used.
//
//     magic, minimum instruction length, pointer size, and as words: functions, files, start of the text, then the offsets
//     of names, units, files, tables by pc, and functions (a pair of u32 each: offset in the text, offset of its record)
//
// src/runtime/symtab.go of each version says what a record is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/books/trail.h"

namespace epaudit {

// What a table needs from elsewhere in the program.
struct GoModule {
    uint64_t text = 0;                   // runtime.text; since 1.26 the header has 0 in its place
    std::vector<uint8_t> function_data;  // from go:func.* on; empty: inlined calls are not known
};

class GoTable {
public:
    // Nothing: it is no such table, or of another version.
    static std::optional<GoTable> parse(std::vector<uint8_t> bytes);

    void set_module(GoModule module) { module_ = std::move(module); }
    uint64_t header_text() const { return text_; }  // 0: see GoModule
    uint64_t function_count() const { return count_; }
    uint64_t names_offset() const { return names_; }
    uint64_t functions_offset() const { return functions_; }
    // Since 1.20 moduledata has two words more, and an inlined call is told in fewer bytes.
    bool since_120() const { return since_120_; }

    // Of an address as the file has it: the calls inlined there, innermost first, then the function. Empty: no function.
    std::vector<Frame> frames(uint64_t address) const;
    // From the stack pointer up to the return address, in bytes.
    std::optional<uint64_t> frame_size(uint64_t address) const;

private:
    struct Function {
        uint64_t at = 0;  // of its record
        uint64_t entry = 0;
        uint64_t end = 0;
    };
    struct Inlined {
        int64_t name = 0;
        int64_t parent = 0;  // offset of an instruction that has the place of the call
    };

    uint64_t text() const { return text_ ? text_ : module_.text; }
    bool number(uint64_t at, uint32_t& value) const;
    std::string name(uint64_t at) const;
    std::optional<Function> function(uint64_t address) const;
    std::optional<int64_t> value(uint32_t table, const Function& function, uint64_t address) const;
    std::optional<Inlined> inlined(const Function& function, uint64_t address) const;
    void set_place(Frame& frame, const Function& function, uint64_t address) const;

    std::vector<uint8_t> bytes_;
    bool since_120_ = false;
    uint8_t quantum_ = 1;
    uint64_t count_ = 0, text_ = 0, names_ = 0, units_ = 0, files_ = 0, tables_ = 0, functions_ = 0;
    GoModule module_;
};

}  // namespace epaudit
