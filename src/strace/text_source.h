// SPDX-License-Identifier: Apache-2.0
// Lines of a file or of standard input, plain or compressed (gzip, zstd; told by their first bytes), in memory
// that does not grow with the file.
#pragma once

#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/support/descriptor.h"
#include "src/support/result.h"

namespace epaudit {

class TextSource {
public:
    static constexpr size_t kMaxLine = 1 << 20;

    // "-" is standard input. When *stop becomes non-zero, reading ends as if at the end of the file.
    static Result<std::unique_ptr<TextSource>> open(const std::string& path, const volatile sig_atomic_t* stop);
    ~TextSource();

    enum class Next {
        kLine,
        kTooLong,  // a line beyond kMaxLine was skipped
        kIdle,     // nothing came for a while; ask again
        kEnd,
    };
    // The line is valid until the next call.
    Next next(std::string_view& line);
    // Why it ended before its time (damaged compression, read error); empty when it did not.
    const std::string& trouble() const { return trouble_; }
    uint64_t bytes() const { return bytes_; }

    struct Decoder;

private:
    TextSource() = default;
    enum class Filled { kMore, kIdle, kEnd };
    Filled fill();
    Filled read_raw();
    void begin();

    Descriptor file_;
    int fd_ = -1;
    const volatile sig_atomic_t* stop_ = nullptr;
    std::unique_ptr<Decoder> decoder_;  // NULL: plain
    std::vector<char> raw_;
    size_t raw_begin_ = 0, raw_end_ = 0;
    std::vector<char> text_;
    size_t begin_ = 0, end_ = 0;
    size_t searched_ = 0;  // no newline before this
    bool skipping_ = false;
    bool began_ = false;
    bool ended_ = false;
    bool pending_ = false;
    std::string trouble_;
    uint64_t bytes_ = 0;
};

}  // namespace epaudit
