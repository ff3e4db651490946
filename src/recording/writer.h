// SPDX-License-Identifier: Apache-2.0
// Writes a recording (format.h): records in, compressed frames out. Knows nothing of where records come from.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/recording/format.h"
#include "src/recording/renumber.h"
#include "src/support/new_file.h"
#include "src/support/result.h"

struct ZSTD_CCtx_s;

namespace epaudit {

class RecordingWriter {
public:
    // Takes all bytes it is given, or answers false with errno set.
    using Sink = std::function<bool(const char*, size_t)>;
    static constexpr size_t kBlock = 256 << 10;

    // A new file, for its owner alone: it tells much of a program. What was there is gone once it begins.
    static Result<std::unique_ptr<RecordingWriter>> create(const std::string& path);
    explicit RecordingWriter(Sink sink, size_t block_bytes = kBlock);
    ~RecordingWriter();

    // First, and once.
    void begin(const RecordingHeader& header);
    void add(uint32_t type, const void* bytes, size_t size)
    {
        const uint32_t head = (type & 255) | static_cast<uint32_t>(size) << 8;
        if (size > kMaxRecord || room() < size + sizeof(head))
            flush();
        if (size > kMaxRecord || room() < size + sizeof(head))
            return refuse();
        put(&head, sizeof(head));
        put(bytes, size);
        renumbering_.apply(type, block_.data() + used_ - size, size);
        records_++;
    }
    void add(uint32_t type, std::string_view text) { add(type, text.data(), text.size()); }
    // A posting as its `record` says, without the zeros at its end.
    void add(const posting& p);
    // What stands for an address in the kernel in this recording.
    const Renumbering& renumbering() const { return renumbering_; }
    uint64_t renumbered(uint64_t address) const { return renumbering_.of(address); }
    // What came so far reaches the file, whatever happens to us afterwards.
    void flush();
    // Last.
    void end();

    bool empty() const { return used_ == 0; }
    uint64_t records() const { return records_; }
    uint64_t bytes() const { return bytes_; }
    // Why not everything reached the file; empty: it did. After a failure nothing more is written.
    const std::string& trouble() const { return trouble_; }

private:
    size_t room() const { return block_.size() - used_; }
    void put(const void* bytes, size_t size);
    void refuse();
    void write(const void* bytes, size_t size);

    Sink sink_;
    std::string block_;
    std::string packed_;
    size_t used_ = 0;
    uint64_t records_ = 0;
    uint64_t bytes_ = 0;
    Renumbering renumbering_;
    ZSTD_CCtx_s* zstd_;
    std::string trouble_;
    std::shared_ptr<NewFile> file_;  // that the sink writes to, when we made it
};

}  // namespace epaudit
