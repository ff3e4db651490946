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

}  // namespace epaudit
