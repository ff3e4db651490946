// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/symbols_wire.h"

namespace epaudit {

void pack(Packer& words, const Frame& frame)
{
    auto cut = [](const std::string& text) { return std::string_view(text).substr(0, kLongestName); };
    words.text(cut(frame.function))
        .text(cut(frame.file))
        .word(static_cast<uint64_t>(frame.line))
        .text(cut(frame.module))
        .word(frame.offset)
        .word(frame.inlined)
        .word(frame.guessed)
        .word(frame.at_start);
}

Frame unpack_frame(Unpacker& words)
{
    Frame frame;
    frame.function = words.text();
    frame.file = words.text();
    frame.line = static_cast<int>(words.word());
    frame.module = words.text();
    frame.offset = words.word();
    frame.inlined = words.word() != 0;
    frame.guessed = words.word() != 0;
    frame.at_start = words.word() != 0;
    return frame;
}

void pack(Packer& words, const PythonInterpreter& found)
{
    words.word(found.version).word(found.runtime).word(found.code_type).word(found.eval.size());
    for (const auto& [from, to] : found.eval)
        words.word(from).word(to);
    words.word(found.debug_offsets.size());
    for (uint64_t word : found.debug_offsets)
        words.word(word);
}

PythonInterpreter unpack_python(Unpacker& words)
{
    PythonInterpreter found;
    found.version = words.word();
    found.runtime = words.word();
    found.code_type = words.word();
    for (uint64_t left = words.count(2 * sizeof(uint64_t)); left; left--) {
        const uint64_t from = words.word();
        found.eval.emplace_back(from, words.word());
    }
    for (uint64_t left = words.count(sizeof(uint64_t)); left; left--)
        found.debug_offsets.push_back(words.word());
    return found;
}

}  // namespace epaudit
