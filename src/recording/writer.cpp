// SPDX-License-Identifier: Apache-2.0
#include "src/recording/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "src/support/descriptor.h"

namespace epaudit {
namespace {

constexpr int kLevel = 1;  // 0.9 M postings/s must be packed by a part of one core

uint32_t checksum(const void* bytes, size_t size)
{
    return static_cast<uint32_t>(crc32(0, static_cast<const Bytef*>(bytes), static_cast<uInt>(size)));
}

bool write_all(int fd, const char* bytes, size_t size)
{
    while (size) {
        const ssize_t wrote = ::write(fd, bytes, size);
        if (wrote < 0 && errno != EINTR)
            return false;
        const size_t done = wrote > 0 ? static_cast<size_t>(wrote) : 0;
        bytes += done;
        size -= done;
    }
    return true;
}

}  // namespace

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(const std::string& path)
{
    auto file = std::make_shared<Descriptor>(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!*file)
        return usage_error(fmt::format("cannot write {}: {}", path, strerror(errno)));
    auto writer = std::make_unique<RecordingWriter>(
        [file](const char* bytes, size_t size) { return write_all(file->get(), bytes, size); });
    writer->path_ = path;
    return writer;
}

RecordingWriter::RecordingWriter(Sink sink, size_t block_bytes)
    : sink_(std::move(sink)), block_(std::min(block_bytes, kMaxBlock), '\0'), zstd_(ZSTD_createCCtx())
{
    packed_.resize(ZSTD_compressBound(block_.size()));
}

// Nothing could be observed: no empty file is left behind.
RecordingWriter::~RecordingWriter()
{
    std::error_code ignored;
    if (!bytes_ && !path_.empty() && std::filesystem::is_regular_file(path_, ignored))
        std::filesystem::remove(path_, ignored);
    ZSTD_freeCCtx(zstd_);
}

void RecordingWriter::begin(const RecordingHeader& header)
{
    const std::string text = header_text(header);
    const uint32_t words[3] = {kRecordingVersion, static_cast<uint32_t>(text.size()),
                               checksum(text.data(), text.size())};
    write(kRecordingMagic, sizeof(kRecordingMagic) - 1);
    write(words, sizeof(words));
    write(text.data(), text.size());
}

void RecordingWriter::add(const posting& p)
{
    size_t size = RECORD_HEAD_BYTES;
    if (p.ino || p.cpu || p.delay)
        size = sizeof(p);
    else if (p.flags & POSTING_STATE)
        size = RECORD_STATE_BYTES;
    add(p.record, &p, size);
}

void RecordingWriter::put(const void* bytes, size_t size)
{
    if (size)
        memcpy(block_.data() + used_, bytes, size);
    used_ += size;
}

void RecordingWriter::refuse()
{
    if (trouble_.empty())
        trouble_ = "a record was too large for its block";
}

void RecordingWriter::write(const void* bytes, size_t size)
{
    if (!trouble_.empty())
        return;
    if (sink_(static_cast<const char*>(bytes), size))
        bytes_ += size;
    else
        trouble_ = fmt::format("the recording could not be written: {}", strerror(errno));
}

void RecordingWriter::flush()
{
    if (!used_)
        return;
    const size_t size = ZSTD_compressCCtx(zstd_, packed_.data(), packed_.size(), block_.data(), used_, kLevel);
    used_ = 0;
    if (ZSTD_isError(size)) {
        trouble_ = fmt::format("the recording could not be compressed: {}", ZSTD_getErrorName(size));
        return;
    }
    const uint32_t words[2] = {static_cast<uint32_t>(size), checksum(packed_.data(), size)};
    write(words, sizeof(words));
    write(packed_.data(), size);
}

void RecordingWriter::end()
{
    add(RECORD_END, nullptr, 0);
    flush();
}

}  // namespace epaudit
