// SPDX-License-Identifier: Apache-2.0
// Which files a process has mapped, by /proc/PID/maps, and opening them for whoever reads what is in them; and bytes of its
// code. Of the files nothing is read here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "src/support/descriptor.h"
#include "src/symbols/code_map.h"

namespace epaudit {

class MappedFiles {
public:
    explicit MappedFiles(uint32_t pid) : pid_(pid) {}

    // Reads its map anew; 0, or errno: what was known stays.
    int read();
    // Of `text`, as the kernel writes it. At most some MB are kept.
    void take(std::string_view text);
    // Its lines that name files or hold code: one and the same text for all that have these lines.
    const std::string& text() const { return map_->text; }
    // The very file where its process lives and we may ask for that, else by its name. Always a regular one.
    Descriptor open(uint64_t base, std::string& path) const;
    const CodeMap& code() const { return map_->code; }
    // All of it or nothing; what is not executed, or more than an instruction or two, is not read: whoever asks may have been
    // taken over, and would like to see more.
    bool read_code(uint64_t address, void* into, size_t size) const;
    // Any of its memory, all of it or nothing. For ourselves only, never for whoever reads its files.
    bool read_memory(uint64_t address, void* into, size_t size) const;
    // Of the process, as a place from which to look (O_PATH): whoever has it may open what he may.
    Descriptor root() const;

private:
    struct Range {
        uint64_t end = 0;
        uint64_t inode = 0;
        std::string name;
    };
    struct Map {
        std::string text;
        CodeMap code;
        std::map<uint64_t, Range> ranges;  // by start
    };

    // The children that a server forks have its map, to the letter: that of a hundred of them takes no more than one.
    static std::shared_ptr<const Map> keep_once(std::unique_ptr<Map> map);

    uint32_t pid_;
    std::shared_ptr<const Map> map_ = std::make_shared<const Map>();
};

}  // namespace epaudit
