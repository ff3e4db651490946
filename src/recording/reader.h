// SPDX-License-Identifier: Apache-2.0
// Reads a recording, whoever wrote it and however it ended: memory is bounded, every byte is checked before it is
// believed, and reading stops at the first damage.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/recording/format.h"
#include "src/support/result.h"

struct ZSTD_DCtx_s;

namespace epaudit {

class RecordingReader {
public:
    // Fills in at most so many bytes; 0: there are no more, or (with errno) they cannot be read.
    using Source = std::function<size_t(char*, size_t)>;

    // "-": standard input. The errors say what is wrong with the beginning of the file.
    static Result<std::unique_ptr<RecordingReader>> open(const std::string& path);
    static Result<std::unique_ptr<RecordingReader>> open(Source source, const std::string& name);
    ~RecordingReader();

    const RecordingHeader& header() const { return header_; }

    struct Record {
        uint32_t type = 0;
        std::string_view bytes;  // valid until the next call
    };
    // False: there is nothing more. Then trouble() says why, when the recording is not whole.
    bool next(Record& out);
    const std::string& trouble() const { return trouble_; }

private:
    explicit RecordingReader(Source source);
    Result<> read_header(const std::string& name);
    bool read(char* bytes, size_t size, size_t& got);
    bool next_block();
    bool stop(std::string why);

    Source source_;
    RecordingHeader header_;
    ZSTD_DCtx_s* zstd_;
    std::string packed_;
    std::string block_;
    size_t at_ = 0;
    size_t size_ = 0;
    bool ended_ = false;
    std::string trouble_;
};

// A piece of memory as a source.
RecordingReader::Source source_of(std::string_view bytes);

// A record that is struct posting, and what it lacks as 0. False: it does not make sense, and must not be booked.
bool read_posting(const RecordingReader::Record& record, posting& out);

}  // namespace epaudit
