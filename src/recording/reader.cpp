// SPDX-License-Identifier: Apache-2.0
#include "src/recording/reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "src/support/descriptor.h"

namespace epaudit {
namespace {

bool intact(const char* bytes, size_t size, uint32_t crc)
{
    return crc32(0, reinterpret_cast<const Bytef*>(bytes), static_cast<uInt>(size)) == crc;
}

size_t read_some(int fd, char* bytes, size_t size)
{
    for (;;) {
        errno = 0;
        const ssize_t got = ::read(fd, bytes, size);
        if (got >= 0)
            return static_cast<size_t>(got);
        if (errno != EINTR)
            return 0;
    }
}

Error no_recording(const std::string& name)
{
    return usage_error(fmt::format("{} is not a recording", name),
                       "`epaudit record -o FILE ...` makes one; logs of strace are for `epaudit strace`");
}

}  // namespace

RecordingReader::Source source_of(std::string_view bytes)
{
    return [bytes](char* out, size_t size) mutable {
        const size_t got = std::min(size, bytes.size());
        if (got)
            memcpy(out, bytes.data(), got);
        bytes.remove_prefix(got);
        errno = 0;
        return got;
    };
}

RecordingReader::RecordingReader(Source source) : source_(std::move(source)), zstd_(ZSTD_createDCtx()) {}
RecordingReader::~RecordingReader() { ZSTD_freeDCtx(zstd_); }

Result<std::unique_ptr<RecordingReader>> RecordingReader::open(const std::string& path)
{
    if (path == "-")
        return open([](char* bytes, size_t size) { return read_some(STDIN_FILENO, bytes, size); }, "standard input");
    auto file = std::make_shared<Descriptor>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!*file)
        return usage_error(fmt::format("cannot read {}: {}", path, strerror(errno)));
    return open([file](char* bytes, size_t size) { return read_some(file->get(), bytes, size); }, path);
}

Result<std::unique_ptr<RecordingReader>> RecordingReader::open(Source source, const std::string& name)
{
    std::unique_ptr<RecordingReader> reader(new RecordingReader(std::move(source)));
    if (auto ok = reader->read_header(name); !ok)
        return ok.error();
    return reader;
}

// False: fewer came than asked for.
bool RecordingReader::read(char* bytes, size_t size, size_t& got)
{
    for (got = 0; got < size;) {
        const size_t more = source_(bytes + got, size - got);
        if (!more)
            return false;
        got += more;
    }
    return true;
}

Result<> RecordingReader::read_header(const std::string& name)
{
    constexpr size_t kMagic = sizeof(kRecordingMagic) - 1;
    char start[kMagic + 12];
    size_t got = 0;
    const bool whole = read(start, sizeof(start), got);
    if (!whole && errno)
        return usage_error(fmt::format("cannot read {}: {}", name, strerror(errno)));
    if (memcmp(start, kRecordingMagic, std::min(got, kMagic)) != 0 || !got)
        return no_recording(name);
    uint32_t words[3] = {};
    if (whole)
        memcpy(words, start + kMagic, sizeof(words));
    if (whole && words[0] != kRecordingVersion)
        return usage_error(fmt::format("{} is a recording of format {}; this epaudit reads format {}", name, words[0],
                                       kRecordingVersion),
                           "replay it with the epaudit that made it, or a newer one");
    std::string text;
    if (whole && words[1] <= kMaxHeader) {
        text.resize(words[1]);
        if (!read(text.data(), text.size(), got) || !intact(text.data(), text.size(), words[2]))
            text.clear();
    }
    if (text.empty())
        return usage_error(fmt::format("{} is damaged: its header is not whole", name),
                           "nothing of it can be read; record again");
    auto header = parse_header(text);
    if (!header)
        return header.error();
    header_ = std::move(*header);
    return Done{};
}

bool RecordingReader::stop(std::string why)
{
    trouble_ = std::move(why);
    ended_ = true;
    return false;
}

bool RecordingReader::next_block()
{
    uint32_t words[2] = {};
    size_t got = 0;
    const bool whole = read(reinterpret_cast<char*>(words), sizeof(words), got);
    if (!whole && errno)
        return stop(fmt::format("the recording could not be read to its end: {}", strerror(errno)));
    if (!whole)
        return stop("the recording was cut: its end is missing");
    if (words[0] > ZSTD_compressBound(kMaxBlock))
        return stop("the recording is damaged: a frame is too long");
    packed_.resize(words[0]);
    if (!read(packed_.data(), packed_.size(), got))
        return stop("the recording was cut: its end is missing");
    if (!intact(packed_.data(), packed_.size(), words[1]))
        return stop("the recording is damaged: a checksum does not hold");
    const unsigned long long size = ZSTD_getFrameContentSize(packed_.data(), packed_.size());
    if (size > kMaxBlock)  // also: not known, no frame
        return stop("the recording is damaged: a frame is no frame");
    if (block_.size() < size)
        block_.resize(size);
    const size_t unpacked = ZSTD_decompressDCtx(zstd_, block_.data(), block_.size(), packed_.data(), packed_.size());
    if (ZSTD_isError(unpacked))
        return stop("the recording is damaged: a frame cannot be unpacked");
    at_ = 0;
    size_ = unpacked;
    return true;
}

bool RecordingReader::next(Record& out)
{
    while (!ended_ && at_ == size_)
        if (!next_block())
            return false;
    if (ended_)
        return false;
    uint32_t head = 0;
    if (size_ - at_ < sizeof(head))
        return stop("the recording is damaged: a record is cut");
    memcpy(&head, block_.data() + at_, sizeof(head));
    at_ += sizeof(head);
    out.type = head & 255;
    const size_t size = head >> 8;
    if (size_ - at_ < size)
        return stop("the recording is damaged: a record is cut");
    out.bytes = std::string_view(block_.data() + at_, size);
    at_ += size;
    ended_ = out.type == RECORD_END;
    return !ended_;
}

bool read_posting(const RecordingReader::Record& record, posting& out)
{
    constexpr int64_t kMost = int64_t{1} << 62;
    constexpr int64_t kWorstErrno = -4095;
    const size_t size = std::min(record.bytes.size(), sizeof(out));
    if (size < RECORD_HEAD_BYTES)
        return false;
    memcpy(&out, record.bytes.data(), size);
    memset(reinterpret_cast<char*>(&out) + size, 0, sizeof(out) - size);
    out.record = static_cast<u8>(record.type);
    return out.kind < POSTING_KINDS && out.file_kind < FILE_KINDS && out.time < static_cast<u64>(kMost) &&
           out.result >= kWorstErrno && out.result < kMost && out.amount > -kMost && out.amount < kMost;
}

}  // namespace epaudit
