// SPDX-License-Identifier: Apache-2.0
#include "src/strace/text_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>

namespace epaudit {
namespace {

constexpr size_t kChunk = 1 << 18;
constexpr int kIdleMs = 200;

}  // namespace

// Turns raw bytes into text. `in` and `out` say how much was used.
struct TextSource::Decoder {
    virtual ~Decoder() = default;
    // False: damaged.
    virtual bool decode(const char* in, size_t& in_size, char* out, size_t& out_size) = 0;
    virtual bool complete() const = 0;  // the stream ended where it may
};

namespace {

struct Gzip : TextSource::Decoder {
    z_stream stream{};
    bool between = true;
    Gzip() { inflateInit2(&stream, 15 + 16); }
    ~Gzip() override { inflateEnd(&stream); }
    bool decode(const char* in, size_t& in_size, char* out, size_t& out_size) override
    {
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in));
        stream.avail_in = static_cast<uInt>(in_size);
        stream.next_out = reinterpret_cast<Bytef*>(out);
        stream.avail_out = static_cast<uInt>(out_size);
        if (between && in_size)
            inflateReset(&stream);  // members may follow one another
        int code = inflate(&stream, Z_NO_FLUSH);
        between = code == Z_STREAM_END;
        in_size -= stream.avail_in;
        out_size -= stream.avail_out;
        return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
    }
    bool complete() const override { return between; }
};

struct Zstd : TextSource::Decoder {
    ZSTD_DStream* stream = ZSTD_createDStream();
    size_t hint = 0;
    ~Zstd() override { ZSTD_freeDStream(stream); }
    bool decode(const char* in, size_t& in_size, char* out, size_t& out_size) override
    {
        ZSTD_inBuffer input{in, in_size, 0};
        ZSTD_outBuffer output{out, out_size, 0};
        hint = ZSTD_decompressStream(stream, &output, &input);
        in_size = input.pos;
        out_size = output.pos;
        return !ZSTD_isError(hint);
    }
    bool complete() const override { return hint == 0; }
};

// As editors on Windows save it. What strace prints is ASCII; all else is of no importance here.
struct Utf16 : TextSource::Decoder {
    explicit Utf16(bool is_big) : big(is_big) {}
    bool big;
    bool half = false;  // the first byte of a unit has been read
    char first = 0;
    bool decode(const char* in, size_t& in_size, char* out, size_t& out_size) override
    {
        size_t used = 0, made = 0;
        for (; used < in_size && made < out_size; used++) {
            if (!half) {
                first = in[used];
                half = true;
                continue;
            }
            half = false;
            const char low = big ? in[used] : first, high = big ? first : in[used];
            if (high == 0)
                out[made++] = low;
            else if (static_cast<unsigned char>(high) != 0xfe)  // the mark at the beginning
                out[made++] = '?';
        }
        in_size = used;
        out_size = made;
        return true;
    }
    bool complete() const override { return true; }
};

constexpr std::string_view kGzip = "\x1f\x8b";

// What it is that cannot be read here, and what makes text of it; empty: nothing known.
std::string packed_by(std::string_view head)
{
    struct Form {
        std::string_view magic;
        const char* name;
        const char* command;
    };
    using namespace std::string_view_literals;
    static constexpr Form kForms[] = {{"\xfd"
                                       "7zXZ\0"sv,
                                       "xz", "xz -dc"},
                                      {"BZh"sv, "bzip2", "bzip2 -dc"},
                                      {"PK\x03\x04"sv, "zip", "unzip -p"},
                                      {"7z\xbc\xaf\x27\x1c"sv, "7-Zip", "7z x -so"},
                                      {"\x04\x22\x4d\x18"sv, "lz4", "lz4 -dc"},
                                      {kGzip, "gzip", "gzip -dc"},
                                      {"\xff\xfe\0\0"sv, "UTF-32", "iconv -f UTF-32 -t UTF-8"},
                                      {"\0\0\xfe\xff"sv, "UTF-32", "iconv -f UTF-32 -t UTF-8"}};
    for (const Form& form : kForms)
        if (head.starts_with(form.magic))
            return fmt::format("this is {}: {} FILE | epaudit strace -", form.name, form.command);
    return {};
}

bool utf16(const char* bytes, bool& big)
{
    big = static_cast<unsigned char>(bytes[0]) == 0xfe || bytes[0] == 0;
    return !memcmp(bytes, "\xff\xfe", 2) || !memcmp(bytes, "\xfe\xff", 2) ||
           (bytes[0] && !bytes[1] && bytes[2] && !bytes[3]) || (!bytes[0] && bytes[1] && !bytes[2] && bytes[3]);
}

}  // namespace

TextSource::~TextSource() = default;

Result<std::unique_ptr<TextSource>> TextSource::open(const std::string& path, const volatile sig_atomic_t* stop)
{
    std::unique_ptr<TextSource> source(new TextSource);
    source->stop_ = stop;
    source->fd_ = STDIN_FILENO;
    if (path != "-") {
        source->file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        source->fd_ = source->file_.get();
        if (!source->file_)
            return usage_error(
                fmt::format("cannot read {}: {}", path, strerror(errno)),
                "give a file that strace wrote (strace -f -ttt -T -o FILE ...), or - for standard input");
    }
    source->raw_.resize(kChunk);
    source->text_.resize(kMaxLine + kChunk);
    if (read(source->fd_, nullptr, 0) < 0 && errno == EISDIR)
        return usage_error(fmt::format("{} is a directory", path),
                           "give one log file; strace -ff writes one per thread, "
                           "strace -f one for all");
    return source;
}

TextSource::Filled TextSource::read_raw()
{
    for (;;) {
        if (stop_ && *stop_)
            return Filled::kEnd;
        pollfd wait{fd_, POLLIN, 0};
        int ready = poll(&wait, 1, kIdleMs);
        if (ready == 0)
            return Filled::kIdle;
        if (ready < 0)
            continue;  // a signal: *stop_ tells
        ssize_t got = read(fd_, raw_.data() + raw_end_, raw_.size() - raw_end_);
        if (got > 0) {
            raw_end_ += static_cast<size_t>(got);
            return Filled::kMore;
        }
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            trouble_ = fmt::format("reading failed: {}", strerror(errno));
        return Filled::kEnd;
    }
}

// By its first bytes.
void TextSource::begin()
{
    const std::string_view head(raw_.data(), raw_end_);
    bool big = false;
    began_ = true;
    if (head.starts_with(kGzip))
        decoder_ = std::make_unique<Gzip>();
    else if (head.starts_with("\x28\xb5\x2f\xfd"))
        decoder_ = std::make_unique<Zstd>();
    else if (trouble_ = packed_by(head); trouble_.empty() && head.size() >= 4 && utf16(head.data(), big))
        decoder_ = std::make_unique<Utf16>(big);
}

// More text behind end_. What is before begin_ may be thrown away.
TextSource::Filled TextSource::fill()
{
    if (begin_ > 0) {
        memmove(text_.data(), text_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        searched_ -= begin_;
        begin_ = 0;
    }
    for (;;) {
        if ((raw_begin_ == raw_end_ && !pending_) || !began_) {
            if (began_)
                raw_begin_ = raw_end_ = 0;
            Filled filled = raw_end_ == raw_.size() ? Filled::kMore : read_raw();
            if (filled == Filled::kIdle || (filled == Filled::kEnd && raw_begin_ == raw_end_))
                return filled;
            // Six bytes tell what it is; a shorter file is plain.
            if (!began_ && raw_end_ < 6 && filled == Filled::kMore)
                continue;
            if (!began_)
                begin();
            if (!trouble_.empty())
                return Filled::kEnd;
        }
        const size_t room = text_.size() - end_;
        size_t in = raw_end_ - raw_begin_, out = room;
        if (!decoder_) {
            in = out = std::min(in, out);
            memcpy(text_.data() + end_, raw_.data() + raw_begin_, in);
        } else if (!decoder_->decode(raw_.data() + raw_begin_, in, text_.data() + end_, out)) {
            trouble_ = "the compressed data is damaged";
            return Filled::kEnd;
        }
        raw_begin_ += in;
        pending_ = decoder_ && out == room;  // there may be more in the decoder
        end_ += out;
        if (decoder_ && out && !bytes_)  // packed twice
            trouble_ = packed_by({text_.data(), out});
        if (!trouble_.empty()) {
            end_ = begin_;
            return Filled::kEnd;
        }
        bytes_ += out;
        if (out)
            return Filled::kMore;
        if (!in && raw_begin_ < raw_end_) {
            trouble_ = "the compressed data is damaged";
            return Filled::kEnd;
        }
    }
}

TextSource::Next TextSource::next(std::string_view& line)
{
    for (;;) {
        const char* at = text_.data() + searched_;
        if (const void* newline = end_ > searched_ ? memchr(at, '\n', end_ - searched_) : nullptr) {
            size_t length = static_cast<size_t>(static_cast<const char*>(newline) - text_.data()) - begin_;
            line = std::string_view(text_.data() + begin_, length);
            begin_ += length + 1;
            searched_ = begin_;
            if (!skipping_)
                return Next::kLine;
            skipping_ = false;
            return Next::kTooLong;
        }
        searched_ = end_;
        if (end_ - begin_ > kMaxLine) {
            skipping_ = true;
            begin_ = searched_ = end_;
        }
        Filled filled = ended_ ? Filled::kEnd : fill();
        if (filled == Filled::kIdle)
            return Next::kIdle;
        if (filled == Filled::kMore)
            continue;
        if (!ended_ && decoder_ && trouble_.empty() && !decoder_->complete() && !(stop_ && *stop_))
            trouble_ = "the compressed file is truncated";
        ended_ = true;
        if (begin_ == end_)
            return Next::kEnd;
        line = std::string_view(text_.data() + begin_, end_ - begin_);
        begin_ = searched_ = end_;
        return skipping_ ? Next::kTooLong : Next::kLine;
    }
}

}  // namespace epaudit
