// SPDX-License-Identifier: Apache-2.0
// What a watched program can make of the names of its code: Go's table, a perf map, a map of its memory, Python's table of lines.
#include <cstdlib>
#include <string>
#include <string_view>

#include "src/symbols/code_map.h"
#include "src/symbols/demangle.h"
#include "src/symbols/go_table.h"
#include "src/symbols/perf_map.h"
#include "src/symbols/python_code.h"

using namespace epaudit;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    if (auto table = GoTable::parse({bytes, bytes + size})) {
        table->set_module({0x401000, {bytes, bytes + size}});
        const uint64_t start = table->header_text() ? table->header_text() : 0x401000;
        for (uint64_t offset : {0, 1, 15, 16, 1000}) {
            if (table->frames(start + offset).size() > 33)
                abort();
            table->frame_size(start + offset);
        }
    }
    const PerfMap map(text);
    for (uint64_t address : {0x0ULL, 0x10ULL, 0x1000ULL, ~0ULL})
        map.find(address);
    if (size && size < 4096 && demangled(std::string(text)).size() > (1 << 20))
        abort();
    for (int64_t offset : {-2, 0, 16, 1 << 20})
        if (auto line = python_line(text, 1, offset); line && *line < 1)
            abort();
    const CodeMap code(text);
    if (const CodeRange* range = code.find(0x1000); range && (range->start > 0x1000 || range->end <= 0x1000))
        abort();
    return 0;
}
