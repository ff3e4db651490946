// SPDX-License-Identifier: Apache-2.0
#include "src/recording/writer.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace epaudit {
namespace {

constexpr int kLevel = 1;  // 0.9 M postings/s must be packed by a part of one core

uint32_t checksum(const void* bytes, size_t size)
{
    return static_cast<uint32_t>(crc32(0, static_cast<const Bytef*>(bytes), static_cast<uInt>(size)));
}

}  // namespace

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(const std::string& path)
{
    auto file = NewFile::open(path, NewFile::Access::kOwner);
    if (!file)
        return file.error();
    auto shared = std::make_shared<NewFile>(std::move(*file));
    auto writer = std::make_unique<RecordingWriter>([shared](const char* bytes, size_t size) {
        errno = shared->write({bytes, size});
        return errno == 0;
    });
    writer->file_ = shared;
    return writer;
}

RecordingWriter::RecordingWriter(Sink sink, size_t block_bytes)
    : sink_(std::move(sink)), block_(std::min(block_bytes, kMaxBlock), '\0'), zstd_(ZSTD_createCCtx())
{
    packed_.resize(ZSTD_compressBound(block_.size()));
}

// Nothing could be observed: no empty file is left behind, and what was there before still is.
RecordingWriter::~RecordingWriter() { ZSTD_freeCCtx(zstd_); }

void RecordingWriter::begin(const RecordingHeader& header)
{
    const std::string text = header_text(header);
    const uint32_t words[3] = {kRecordingVersion, static_cast<uint32_t>(text.size()),
                               checksum(text.data(), text.size())};
    write(kRecordingMagic, sizeof(kRecordingMagic) - 1);
    write(words, sizeof(words));
    write(text.data(), text.size());
    if (!file_ || !trouble_.empty())
        return;
    // From now on it has its name: what there is of it can be replayed, whatever happens to us.
    if (int error = file_->publish())
        trouble_ = fmt::format("the recording could not be written: {}", strerror(error));
    else
        file_->keep();
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
    if (!file_ || !trouble_.empty())
        return;
    if (int error = file_->finish())
        trouble_ = fmt::format("the recording could not be written: {}", strerror(error));
}

}  // namespace epaudit
